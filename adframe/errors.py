"""What a user did wrong, said in lines they can act on.

``UserError`` and its subclass end a command with exit status 2 and no traceback; every other
exception is a fault of adframe or of a plugin and keeps its traceback and exit status 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

Path_ = tuple[str | int, ...]  #: keys and indexes from the top of a config to one value


class UserError(Exception):
    """Something the user can mend; the message is one line (or one line per problem).

    Unprintable characters, as of a damaged file, are shown as escapes.
    """

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(one_line(line) for line in message.split("\n")))


class UnknownComponent(UserError):  # noqa: N818
    """No installed plugin offers a component of that kind and name."""


class PluginFault(Exception):  # noqa: N818
    """A component that breaks the rules plugins live by; the message names the component."""


class TrainingError(Exception):
    """Training cannot go on; what was saved before stays."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a config: where it was written, which key, what, and a way out."""

    path: Path_
    message: str
    where: str = ""

    def __str__(self) -> str:
        key = ".".join(str(part) for part in self.path)
        return one_line(": ".join(text for text in (self.where, key, self.message) if text))


class ConfigError(UserError):
    """Every problem found in a config, one line each, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def one_line(text: str) -> str:
    r"""A text with line ends and other unprintable characters as escapes: ``\n``, ``\x00``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known word, or nothing where none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""
