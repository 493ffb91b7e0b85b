"""The command line. Every verb imports only what it needs; ``--help`` imports next to nothing."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from adframe._version import __version__

_FORMAT = warnings.formatwarning


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status: 0 done, 2 the user's input is wrong, 1 other."""
    arguments = _parser().parse_args(argv)
    from adframe.errors import UserError

    warnings.formatwarning = _as_a_line
    try:
        status: int = arguments.verb(arguments)
        return status
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate" not in str(error):
            raise
        print("out of memory; try a smaller network, batch or image size", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a pipe went away, as `head` does
        sys.stderr.close()
        return 1
    except KeyboardInterrupt as stopped:
        print(str(stopped) or "interrupted", file=sys.stderr)
        return getattr(stopped, "status", 130)


def _as_a_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int,
    line: str | None = None,
) -> str:  # fmt: skip
    """A warning of adframe's own as one line; any other as Python shows it."""
    from adframe.errors import Note

    if issubclass(category, Note):
        return f"warning: {message}\n"
    return _FORMAT(message, category, filename, lineno, line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="adframe",
        description="Contrastive image anomaly detection from plugins and configs.",
        epilog="Exit status: 0 done, 2 the input is wrong, 130 or 143 interrupted, 1 all else.",
    )
    parser.add_argument("--version", action="version", version=f"adframe {__version__}")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def verb(name: str, function: str, summary: str) -> argparse.ArgumentParser:
        command = verbs.add_parser(name, help=summary, description=summary)
        command.set_defaults(verb=lambda arguments: _call(function, arguments))
        command.add_argument(
            "--plugin", action="append", default=[], metavar="FILE", help="load a one-file plugin"
        )
        command.add_argument(
            "--without", action="append", default=[], metavar="PLUGIN", help="leave a plugin out"
        )
        return command

    def config(command: argparse.ArgumentParser) -> None:
        command.add_argument("config", type=Path, metavar="CONFIG", help="a YAML config")
        command.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="override a.b.0.c=VALUE"
        )
        trust(command)

    def trust(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--allow-code", action="store_true", help="run the files a config's 'plugins:' names"
        )

    def folder(command: argparse.ArgumentParser) -> None:
        command.add_argument("run", type=Path, metavar="RUN", help="the folder of a finished run")
        trust(command)

    def as_json(command: argparse.ArgumentParser) -> None:
        command.add_argument("--json", action="store_true", help="print JSON")

    command = verb("run", "run:run", "train and evaluate what a config says")
    config(command)
    command.add_argument("--out", type=Path, metavar="DIR", help="run folder (runs/NAME-N)")
    command.add_argument("--resume", action="store_true", help="go on with the run in --out")
    command = verb("check", "run:check", "validate a config and see that its components fit")
    config(command)
    command.add_argument(
        "--resolved", action="store_true", help="print the final config, each value with its origin"
    )
    command = verb("evaluate", "run:evaluate", "score a run's test images again")
    folder(command)
    command.add_argument(
        "--verify", action="store_true", help="write nothing; end with 1 if a score differs"
    )
    command = verb("score", "score:score", "score image files with a run's detector")
    folder(command)
    command.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="images or folders")
    command.add_argument("--out", type=Path, metavar="FILE", help="write the CSV here")
    command = verb("new", "new:new", "write a plugin of one's own to start from")
    command.add_argument("name", metavar="NAME", help="of the plugin and of its components")
    command.add_argument(
        "--kind", action="append", metavar="KIND", help="loss (the default), shift, scorer, ..."
    )
    command.add_argument("--single-file", action="store_true", help="one file, for --plugin")
    command = verb("list", "inspect:list_components", "list components, all or of one kind")
    command.add_argument("kind", nargs="?", metavar="KIND", help="loss, ..., or a glob: '*clr'")
    as_json(command)
    command = verb("show", "inspect:show", "show a component: options, bounds, documentation")
    command.add_argument("kind", metavar="KIND")
    command.add_argument("name", metavar="NAME")
    as_json(command)
    command = verb("plugins", "inspect:plugins", "list plugins, and what is wrong with any")
    as_json(command)
    verb("schema", "inspect:schema", "print the JSON Schema of configs")
    command = verb("reproduce", "reproduce:reproduce", "run a table, beside its published figures")
    _reproduce_options(command)
    as_json(command)
    return parser


def _reproduce_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("table", metavar="TABLE", help="table1 ... table6, or a table file")
    command.add_argument(
        "--budget", default="smoke", metavar="NAME", help="smoke, short or full (smoke)"
    )
    command.add_argument(
        "--only", action="append", default=[], metavar="CELL", help="ROW[/TASK[/SEED]], with *"
    )
    command.add_argument(
        "--data", type=Path, default=Path("data"), metavar="ROOT", help="where images lie (data)"
    )
    command.add_argument("--seeds", type=int, metavar="N", help="seeds 0 to N-1, not the budget's")
    command.add_argument("--out", type=Path, metavar="DIR", help="folder (runs/TABLE-BUDGET)")
    command.add_argument("--dry-run", action="store_true", help="print cells and cost, run none")


def _call(function: str, arguments: argparse.Namespace) -> int:
    import importlib

    module, _, name = function.partition(":")
    status: int = getattr(importlib.import_module(f"adframe.cli.commands.{module}"), name)(
        arguments
    )
    return status


if __name__ == "__main__":
    sys.exit(main())
