"""Text for people: width, colour and control characters."""

import io
import logging
import subprocess
import sys

import pytest
from PIL import Image

from adframe.io.terminal import Screen, _wrapped, clean, error_line, status_lines

HEAD, TEXT = "  uniclr  ", "Aggregates inliers and disperses virtual outliers, each by itself."


def test_words_wrap_under_the_text_and_never_break(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    Screen(terminal).line(TEXT, head=HEAD, of_head="cyan")
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[0].startswith(HEAD)
    assert {line[: len(HEAD)] for line in lines[1:]} == {" " * len(HEAD)}
    assert " ".join(line[len(HEAD) :] for line in lines) == TEXT
    terminal.truncate(0)
    Screen(terminal).line("see " + "x" * 60 + " there")
    assert "x" * 60 in terminal.getvalue()


def test_colours_on_a_terminal_unless_refused(terminal, monkeypatch):
    Screen(terminal).line("text", head="head ", of_head="cyan")
    assert "\x1b[36mhead \x1b[0mtext" in terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = type(terminal)()
    Screen(plain).line("text", head="head ", of_head="cyan")
    assert plain.getvalue() == "head text\n"


def test_a_pipe_gets_whole_lines():
    pipe = io.StringIO()
    Screen(pipe).line(TEXT * 5, head=HEAD, of_head="cyan")
    assert pipe.getvalue() == f"{HEAD}{TEXT * 5}\n"


@pytest.mark.parametrize("tty", [True, False])
def test_no_text_is_markup_or_steers_the_terminal(tty, terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    stream = terminal if tty else io.StringIO()
    odd = "[red]a[/red] :smile: [/] \x1b[31m \x07 \u202e \udc80"
    safe = "[red]a[/red] :smile: [/] \\x1b[31m \\x07 \\u202e \\udc80"
    assert clean(odd) == safe
    Screen(stream).line(odd)
    Screen(stream).block(odd)
    assert stream.getvalue().count(safe) == 2
    stream.getvalue().encode()


def test_errors_go_to_standard_error(capsys):
    error_line(ValueError("bad \x1b"))
    assert capsys.readouterr() == ("", "bad \\x1b\n")


def test_a_status_line_is_printed_once_on_the_command_line(capsys):
    logger = logging.getLogger("adframe")
    root = logging.StreamHandler(sys.stderr)
    logging.getLogger().addHandler(root)
    try:
        with status_lines():
            logger.warning("mind %s", "the gap")
            logging.getLogger("adframe.part").warning("again")
            logger.info("not shown")
    finally:
        logging.getLogger().removeHandler(root)
    assert capsys.readouterr().err == "warning: mind the gap\nwarning: again\n"
    assert logger.propagate
    assert not logger.handlers


def test_from_python_a_status_line_is_printed_once_and_is_no_exception(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    code = (
        "import adframe, sys, warnings\n"
        "paths, read = adframe.find_images([sys.argv[1]]), adframe.readable_images\n"
        "warnings.simplefilter('error')\n"
        "print(len(read(paths)[0]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    line = f"skipped unreadable files, 1 of 2: {tmp_path / 'bad.png'}: not an image"
    assert done.stderr == f"{line}\n"


def test_each_line_of_a_message_wraps_by_itself():
    assert _wrapped("aaa bbb ccc\nddd eee\n", 8) == ["aaa bbb", "ccc", "ddd eee"]
