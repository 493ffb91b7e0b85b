"""Arguments that several verbs take."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from adframe.config.bundled import bundled_configs


def config(parser: argparse.ArgumentParser) -> None:
    """``CONFIG`` and ``--set``, ``--allow-code``."""
    argument = parser.add_argument(
        "config", type=Path, metavar="CONFIG", help="a YAML file, or a name of `adframe configs`"
    )
    completes(argument, lambda _: bundled_configs())
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a.b.0.c=VALUE"
    )
    allow_code(parser)


def run_folder(parser: argparse.ArgumentParser) -> None:
    """``RUN`` and ``--allow-code``."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a finished run")
    allow_code(parser)


def allow_code(parser: argparse.ArgumentParser) -> None:
    """``--allow-code``."""
    parser.add_argument(
        "--allow-code", action="store_true", help="run the files a config's 'plugins:' names"
    )


def as_json(parser: argparse.ArgumentParser) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def completes(
    argument: argparse.Action, words: Callable[[argparse.Namespace], Iterable[str]]
) -> None:
    """Let the shell complete an argument with words, given the arguments before it."""

    def completer(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
        return [word for word in words(parsed_args) if word.startswith(prefix)]

    argument.completer = completer  # type: ignore[attr-defined]  # argcomplete looks for it


def of_plugins(arguments: argparse.Namespace) -> dict[str, Any]:
    """``--plugin``, ``--without`` and ``--allow-code`` as ``load_config`` takes them."""
    return {
        "plugins": arguments.plugin,
        "without": arguments.without,
        "allow_code": arguments.allow_code,
    }
