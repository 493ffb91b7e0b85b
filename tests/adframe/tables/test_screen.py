"""Tables and Markdown on a terminal and in a pipe."""

import io

import pytest

from adframe.io.terminal import Screen
from adframe.tables.screen import show_markdown, show_table


@pytest.mark.parametrize("tty", [True, False])
def test_no_text_is_markup_or_steers_the_terminal(tty, terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    stream = terminal if tty else io.StringIO()
    odd, safe = "[red]a[/red] [/] \x1b[31m \u202e", "[red]a[/red] [/] \\x1b[31m \\u202e"
    show_markdown(Screen(stream), odd)
    show_table(Screen(stream), ["x"], [[odd]])
    assert stream.getvalue().count(safe) == 2


def test_a_table_that_is_too_wide_becomes_a_list(terminal):
    rows = [["first", "1.5"], ["second", "10.25"]]
    show_table(Screen(terminal), ["name", "AUROC"], rows)
    assert terminal.text == "name    AUROC\nfirst     1.5\nsecond  10.25\n"
    wide = type(terminal)()
    show_table(
        Screen(wide), ["name", "AUROC of all"], [[name, figure * 9] for name, figure in rows]
    )
    lines = wide.text.splitlines()
    assert lines == [
        "first",
        "  AUROC of all  " + "1.5" * 9,
        "second",
        "  AUROC of all  " + "10.25" * 9,
    ]


def test_markdown_is_laid_out_on_a_terminal_only(terminal):
    text = (
        "# title\n\nSome **bold** text, `code`.\n\n| a | b |\n|---|---|\n| x\\|y | 1 |\n\n1. a note"
    )
    pipe = io.StringIO()
    show_markdown(Screen(pipe), text)
    assert pipe.getvalue() == text + "\n"
    show_markdown(Screen(terminal), text)
    expected = "title\n\nSome bold text, code.\n\na    b\nx|y  1\n\n1. a note\n\n"
    assert terminal.text == expected
