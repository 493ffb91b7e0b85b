"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from adframe.config.bundled import bundled_configs
from adframe.io.paths import a_path

if TYPE_CHECKING:
    from adframe.config.model import RunConfig
    from adframe.interfaces import Report


def config(parser: argparse.ArgumentParser) -> None:
    """Declare ``CONFIG``, ``--set`` and ``--allow-code``."""
    argument = parser.add_argument(
        "config", type=a_path, metavar="CONFIG", help="a YAML file, or a name of `adframe configs`"
    )
    completes(argument, lambda _: bundled_configs())
    settings(parser)
    allow_code(parser)


def settings(parser: argparse.ArgumentParser) -> None:
    """Declare ``--set``."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a.b.0.c=VALUE"
    )


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


def load(arguments: argparse.Namespace) -> RunConfig:
    """The config that the arguments name; wrong names are refused before torch is imported.

    Raises:
        ConfigError: every wrong name, or every other problem of a config without any.
        UserError: a file cannot be read.
    """
    from adframe.config.compose import read_config
    from adframe.config.names import wrong_names
    from adframe.config.plugin_files import load_plugins_of
    from adframe.config.where import located, once

    node, source = read_config(arguments.config, arguments.set)
    loaded = load_plugins_of(node, **of_plugins(arguments))
    if wrong := once(wrong_names(node, loaded.registry), loaded.registry.plugins):
        raise located(wrong, node)
    from adframe.config.model import validate_tree

    return validate_tree(node, source, arguments.plugin, loaded=loaded)


def of_plugins(arguments: argparse.Namespace) -> dict[str, Any]:
    """Arguments of ``load_config`` from ``--plugin``, ``--without`` and ``--allow-code``."""
    return {
        "plugins": arguments.plugin,
        "without": arguments.without,
        "allow_code": arguments.allow_code,
    }


def show_failures(report: Report) -> int:
    """Print each scorer of a report that failed; returns the exit status, 1 if there is one."""
    from adframe.io.terminal import error_line

    for name, problem in report.failed.items():
        error_line(f"{name} failed: {problem}")
    return 1 if report.failed else 0
