"""The entry point: finds a verb, parses its arguments, runs it, and prints errors as one line.

A verb is imported when it is called, so that ``adframe --help`` imports next to nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from adframe._version import __version__
from adframe.cli.collection import delay_first_collection
from adframe.cli.parser import Help, Parser, fill, nearest_option, percent
from adframe.engine.interrupt import Stop
from adframe.errors import (
    ImageMemoryError,
    PluginFault,
    Stopped,
    TrainingError,
    UserError,
    did_you_mean,
    one_line,
)
from adframe.io.terminal import drop_output, error_line, prepare_streams, status_lines
from adframe.registry.blame import blame, out_of_memory, show_traceback, thread_lines
from adframe.registry.entry_points import stops
from adframe.registry.verbs import VerbEntry, find_verbs, only

THREADS_END = 5.0  # seconds that threads of plugins have to finish after a command


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: words after ``adframe``; by default those of this process.

    Returns:
        the exit status: 0 done, 2 the user's input is wrong, 130 or 143 interrupted, 1 all else.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if argv is None:  # else the process is somebody else's
        delay_first_collection()
    prepare_streams()
    stop = Stop(ends_process=True)
    with stop.watching(), status_lines(), thread_lines(error_line):
        status = _status(words, stop)
    if argv is None:
        _end_with_threads(status)
    return status


def _status(words: list[str], stop: Stop) -> int:
    """Run one command, and show an error as one line."""
    status = 1
    try:
        with stop.raising():
            status = _call_and_flush(words)
        if stop.asked and not status:  # a library or a plugin has dropped it
            raise Stopped(stop.asked)
        return status
    except UserError as error:
        if str(error):  # else all was printed before
            error_line(error)
        return 2
    except BrokenPipeError:  # the reader of a pipe has ended, as `head` does
        drop_output()
    except BaseException as error:
        if stops(error) or (isinstance(error, KeyboardInterrupt) and blame(error) is None):
            error_line(str(error) or "interrupted")
            return getattr(error, "status", 130)
        if stop.asked:  # a library has raised another error because of it
            error_line("interrupted")
            return 128 + stop.asked
        line = _failure(error)
        if line is None:  # a fault of adframe, or the end of the process after --help
            raise
        error_line(line)
        if isinstance(error, OSError) and not out_of_memory(error):
            drop_output()
            status = 1 if error.filename is None else 2
    return status


def _end_with_threads(status: int) -> None:
    """End the process if threads continue, such as those of a plugin, after a time to finish."""
    end = time.monotonic() + THREADS_END
    rest = [t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
    for thread in rest:
        thread.join(max(0.0, end - time.monotonic()))
    alive = [thread.name for thread in rest if thread.is_alive()]
    if alive:
        error_line(f"ended with threads that continue: {', '.join(alive)}")
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


def _failure(error: BaseException) -> object:
    """The line for an error that is neither the user's nor adframe's; None for others."""
    if out_of_memory(error):
        where = f" at {one_line(str(error))}" if isinstance(error, ImageMemoryError) else ""
        return f"out of memory{where}; try a smaller network, batch or image size"
    if isinstance(error, OSError) and (error.errno is not None or blame(error) is None):
        where = "standard output" if error.filename is None else os.fsdecode(error.filename)
        return one_line(f"{where}: {error.strerror or error}")
    if isinstance(error, TrainingError):
        return error
    fault = blame(error)
    if fault is not None:
        show_traceback(fault)
    return fault


def _call_and_flush(words: list[str]) -> int:
    """Run a verb; what it printed must have been written when it ends."""
    try:
        return _call(words)
    finally:
        if not sys.stdout.closed:
            sys.stdout.flush()


def _call(words: list[str]) -> int:
    verbs = find_verbs()
    if "_ARGCOMPLETE" in os.environ:  # the shell requests completions
        import argcomplete

        argcomplete.autocomplete(_parser(os.environ["COMP_LINE"].split()[1:2], verbs))
    name = words[0] if words else ""
    if name in verbs:
        _check_folder()
        try:
            entry = only(verbs[name])
            verb = entry.load()
            parser = Parser(prog=f"adframe {name}", description=percent(verb.summary))
            fill(parser, entry, verb)
        except PluginFault as fault:
            error_line(fault)
            return 1
        return verb.run(parser.parse(words[1:])) or 0
    parser = _parser((), verbs)
    if not name:
        parser.print_help()
        return 0
    if name.startswith("-"):
        parser.parse_known_args(words[:1])  # ends the process for --help and --version
        hint = nearest_option(name, ["--help", "--version"])
        raise UserError(f"adframe: write the command before '{name}'{hint} (adframe --help)")
    hint = did_you_mean(name, verbs) or " (adframe --help lists them)"
    raise UserError(f"adframe: no command '{name}'{hint}")


def _check_folder() -> None:
    """Refuse a current folder that was removed: libraries end the process where they miss it.

    Raises:
        UserError: it was.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise UserError(f"the current folder: {error.strerror}; change to another") from error


def _parser(
    called: Sequence[str] | None = None, verbs: dict[str, list[VerbEntry]] | None = None
) -> Parser:
    """The argument parser of all verbs; imports the verbs in ``called``, by default all of them."""
    parser = Parser(
        prog="adframe",
        formatter_class=Help,
        description="Contrastive image anomaly detection from plugins and configs.",
        epilog="Exit status: 0 done, 2 the input is wrong, 130 or 143 interrupted, 1 all else.",
    )
    parser.add_argument("--version", action="version", version=f"adframe {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, claims in (find_verbs() if verbs is None else verbs).items():
        try:
            text = percent(only(claims).summary())
        except (PluginFault, UserError) as fault:
            text = percent(str(fault))
        command = commands.add_parser(name, help=text, description=text)
        if called is None or name in called:
            with suppress(PluginFault):
                fill(command, claims[0], claims[0].load())
    return parser


if __name__ == "__main__":
    sys.exit(main())
