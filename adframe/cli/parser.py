"""Argument parsing: a mistake gives one line that names the nearest option."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from adframe.errors import PluginFault, UserError
from adframe.registry.entry_points import stops
from adframe.registry.verbs import Verb, VerbEntry


class Help(argparse.HelpFormatter):
    """Help formatter with enough room for command names, whose indent argparse does not count."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = 14


class Parser(argparse.ArgumentParser):
    """Parser that raises mistakes as a one-line ``UserError``. Options cannot be abbreviated."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        """Raise a mistake found by argparse as ``UserError``.

        Raises:
            UserError: always.
        """
        raise UserError(f"{self.prog}: {message} ({self.prog} --help)")

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stderr).write(message)  # argparse would ignore a full disk

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the arguments of a verb.

        Raises:
            UserError: something is missing, unknown or no valid value.
        """
        arguments, unknown = self.parse_known_args(words)
        if unknown:
            options = [word for word in unknown if word.startswith("-")]
            word = (options or unknown)[0]
            hint = self._setting(word, words) or nearest_option(word, self._option_string_actions)
            raise UserError(f"{self.prog}: unexpected '{word}'{hint}")
        return arguments

    def _setting(self, word: str, words: Sequence[str]) -> str:
        """Hint to write ``--set`` for a config key that was given as an option."""
        if "--set" not in self._option_string_actions or not word.startswith("--"):
            return ""
        option, equals, value = word.partition("=")
        if not equals:
            after = words[list(words).index(word) + 1 :]
            value = after[0] if after and not after[0].startswith("-") else "VALUE"
        name = option[2:].replace("-", "_")

        from adframe.config.model import RunConfig
        from adframe.config.sections import Train

        keys = {key: f"train.{key}" for key in Train.model_fields}
        keys |= {key: key for key in RunConfig.model_fields}
        if name.partition(".")[0] in RunConfig.model_fields:  # --train.device, --backbone.width
            keys[name] = name
        near = difflib.get_close_matches(name, keys, n=1, cutoff=0.75)
        return f"; did you mean --set {keys[near[0]]}={value}?" if near else ""


def fill(parser: argparse.ArgumentParser, entry: VerbEntry, verb: Verb) -> None:
    """Add the arguments of a verb to its parser, after ``--plugin`` and ``--without``.

    Raises:
        PluginFault: the verb's ``add_arguments`` fails.
    """
    parser.add_argument(
        "--plugin", action="append", default=[], metavar="FILE", help="load a one-file plugin"
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="PLUGIN", help="do not load a plugin"
    )
    try:
        verb.add_arguments(parser)
    except BaseException as error:
        if stops(error):
            raise
        raise PluginFault(entry.failed(error)) from error


def nearest_option(word: str, options: Iterable[str]) -> str:
    """``; did you mean '--resume'?`` with the option nearest to a word, or an empty text."""
    names = {option.lstrip("-"): option for option in options}
    near = difflib.get_close_matches(word.lstrip("-").partition("=")[0], names, n=1)
    return f"; did you mean '{names[near[0]]}'?" if word.startswith("-") and near else ""


def percent(text: str) -> str:
    """Help text with ``%`` doubled, because argparse formats it."""
    return text.replace("%", "%%")
