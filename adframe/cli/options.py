"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

from adframe.config.bundled import bundled_configs
from adframe.io.paths import a_path


def config(parser: argparse.ArgumentParser) -> None:
    """Declare ``CONFIG``, ``--set`` and ``--allow-code``."""
    argument = parser.add_argument(
        "config", type=a_path, metavar="CONFIG", help="a YAML file, or a name of `adframe configs`"
    )
    completes(argument, lambda _: bundled_configs())
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a.b.0.c=VALUE"
    )
    allow_code(parser)


def run_folder(parser: argparse.ArgumentParser) -> None:
    """Declare ``RUN`` and ``--allow-code``."""
    parser.add_argument("run", type=a_path, metavar="RUN", help="the folder of a finished run")
    allow_code(parser)


def allow_code(parser: argparse.ArgumentParser) -> None:
    """Declare ``--allow-code``."""
    parser.add_argument(
        "--allow-code", action="store_true", help="allow code: files under a config's 'plugins:'"
    )


def as_json(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def completes(
    argument: argparse.Action, words: Callable[[argparse.Namespace], Iterable[str]]
) -> None:
    """Let the shell complete an argument with words, given the arguments before it."""

    def completer(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
        return [word for word in words(parsed_args) if word.startswith(prefix)]

    argument.completer = completer  # type: ignore[attr-defined]  # argcomplete looks for it


def of_plugins(arguments: argparse.Namespace) -> dict[str, Any]:
    """Arguments of ``load_config`` from ``--plugin``, ``--without`` and ``--allow-code``."""
    return {
        "plugins": arguments.plugin,
        "without": arguments.without,
        "allow_code": arguments.allow_code,
    }
