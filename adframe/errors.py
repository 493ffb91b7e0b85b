"""Exceptions, and the format of their messages.

``UserError`` and its subclasses end a command with exit status 2 and without a traceback. A fault
of a plugin is one line and status 1. Any other exception is a fault of adframe and keeps its
traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MAX_LINE = 2000  #: characters of a line of a message
KeyPath = tuple[str | int, ...]  #: keys and indexes from the top of a config to one value


class UserError(Exception):
    """An error that the user can correct; the message has one line per problem.

    Unprintable characters, for example of a damaged file, are shown as escapes.
    """

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(one_line(line) for line in message.split("\n")))


class UnknownComponent(UserError):  # noqa: N818
    """Error for a component name that no plugin has."""


class PluginFault(Exception):  # noqa: N818
    """Error for a plugin or component that breaks the plugin contract; the message names it."""


class TrainingError(Exception):
    """Error that ends training; files written before it stay."""


class ImageMemoryError(MemoryError):
    """Error for an image that cannot be decoded because memory is full; the message names it."""


class Stopped(KeyboardInterrupt):
    """Exception of a command stopped by a signal; the message of a run names the step.

    Attributes:
        status: the exit status: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, number: int, message: str = "interrupted") -> None:
        super().__init__(message)
        self.status = 128 + number

    def __reduce__(self) -> tuple[type[Stopped], tuple[int, str]]:
        return type(self), (self.status - 128, str(self))


class ProcessLost(TrainingError):  # noqa: N818
    """Error for a process that decodes images and has ended; the run can be continued."""


class RankLost(TrainingError):  # noqa: N818
    """Error for another process that trains the same network and has ended."""


@dataclass(frozen=True)
class Problem:
    """One problem of a config: file and line (``where``), key (``path``), and message."""

    path: KeyPath
    message: str
    where: str = ""

    def __str__(self) -> str:
        key = ".".join(str(part) for part in self.path)
        return one_line(": ".join(text for text in (self.where, key, self.message) if text))


class ConfigError(UserError):
    """Error with all problems of a config, one line each, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[list[Problem]]]:
        return type(self), (self.problems,)


@contextmanager
def problem_at(path: KeyPath, *kinds: type[Exception]) -> Iterator[None]:
    """Make errors of some kinds, raised in this context, the problem of one value of a config.

    Raises:
        ConfigError: the problem; or as it was raised in the context.
    """
    try:
        yield
    except ConfigError:
        raise
    except kinds as error:
        raise ConfigError([Problem(path, str(error))]) from error


def one_line(text: str) -> str:
    r"""Escape line ends and other unprintable characters: ``\n``, ``\x00``; shorten long text."""
    if len(text) > MAX_LINE:
        text = f"{text[: MAX_LINE - 203]}...{text[-200:]}"
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 3]}..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` with the nearest known word, or an empty text if none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""
