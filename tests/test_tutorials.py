"""Blocks of the tutorials and other pages run as a reader would run them.

A comment above a block sets how it is tested, in the order of the page, in one empty folder:

- ``<!-- tested: run -->`` runs it: a ``sh`` block as it is, a ``console`` block command by
  command, each with the output below it. Three or more dots stand for what differs from run to
  run: a part of a line, or any lines. ``run, exit 2`` expects that status.
- ``<!-- tested: FILE -->`` writes it to that file.
- ``<!-- not run: REASON -->`` leaves it alone.
- ``<!-- before: COMMANDS -->`` runs what the reader is taken to have done already.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SHELL = "sh", "console"
STEP = re.compile(
    r"<!-- before:(?P<before>.*?)-->"
    r"|(?:<!-- (?P<mark>(?:tested|not run): [^\n]+) -->\n+)?```(?P<language>\w+)\n(?P<text>.*?)```",
    re.DOTALL,
)


@dataclass
class Step:
    """A block of a page and what is to be done with it."""

    mark: str | None
    language: str
    text: str


def steps(text):
    for found in STEP.finditer(text):
        if found["before"] is not None:
            yield Step("tested: run", "sh", found["before"])
        else:
            yield Step(found["mark"], found["language"], found["text"])


PROGRAMS = Path(sys.executable).parent


def page(path, folder, programs=PROGRAMS):
    """Do what a page says, in a folder, with the programs of another."""
    for step in steps(path.read_text()):
        kind, _, what = (step.mark or "").partition(": ")
        if kind == "not run" or (kind == "" and step.language not in SHELL):
            continue
        assert kind == "tested", f"{path.name}: neither tested nor 'not run':\n{step.text}"
        if not what.startswith("run"):
            assert Path(what).name == what, what
            (folder / what).write_text(step.text)
            continue
        status = int(what.partition("exit ")[2] or 0)
        if step.language == "console":
            for command, expected in commands(step.text):
                compare(command, expected, run(command, folder, status, programs))
        else:
            run(step.text, folder, status, programs)


def commands(text):
    """Command and expected output, for each ``$`` of a console block."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = re.sub(r"\\\n *", "", part).partition("\n")
        yield command, output


def compare(command, expected, output):
    lines = [line.rstrip() for line in expected.strip("\n").splitlines()]
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.sub(r"(\\\.){3,}", ".*", re.escape(line)) + r" *\n"
        for line in lines
    )
    output = output.strip("\n") + "\n" if output.strip() else ""
    assert re.fullmatch(pattern, output), f"$ {command}\n{output}\nis not\n\n{expected}"


def run(command, folder, status=0, programs=PROGRAMS):
    environment = {
        **{key: value for key, value in os.environ.items() if key not in ("DEMO", "FORCE_COLOR")},
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(folder),
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONIOENCODING": "utf-8",
        "MPLCONFIGDIR": str(folder),
    }
    done = subprocess.run(
        ["sh", "-e", "-c", command],
        cwd=folder, env=environment, text=True, check=False, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == status, f"$ {command}\n{done.stdout}\nexit status {done.returncode}"
    return done.stdout


def run_pages():
    pages = DOCS.rglob("*.md")
    return sorted(path for path in pages if "<!-- tested: run" in path.read_text())


@pytest.mark.slow
@pytest.mark.timeout(1800)  # trains, on machines that may be busy
@pytest.mark.parametrize("path", run_pages(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_page_does_what_it_says(path, tmp_path, warm):
    """In a folder that holds the tutorials' helper, as a checkout does."""
    (tmp_path / "docs").symlink_to(DOCS)
    page(path, tmp_path, warm)


@pytest.mark.slow
def test_warm_programs_end_as_others_do(tmp_path, warm):
    (tmp_path / "x.py").write_text("import sys; print(sys.argv[1:], input()); sys.exit(3)")
    assert run("echo hello | python x.py a 'b c'", tmp_path, 3, warm) == "['a', 'b c'] hello\n"
    assert "Traceback" in run("python x.py", tmp_path, 1, warm)
    assert run("adframe --version && python -c 'print(1)'", tmp_path, 0, warm).endswith("\n1\n")
    assert "no command" in run("adframe nothing", tmp_path, 2, warm)
    assert run("adframe list loss", tmp_path, 0, warm) == run("adframe list loss", tmp_path)


def test_both_tutorials_are_tested():
    assert {path.stem for path in run_pages()} >= {"photographs", "loss"}


def test_the_script_the_tutorial_shows_is_the_one_in_the_repository():
    text = (DOCS / "tutorials/photographs.md").read_text()
    assert (DOCS / "tutorials/make_photos.py").read_text() in text


CONSOLE = "<!-- tested: run -->\n```console\n$ echo one; echo 12.5 s\n{}\n```\n"


@pytest.mark.parametrize(
    ("expected", "same"),
    [
        ("one\n12.5 s", True),
        ("one\n... s", True),
        ("...\n12.5 s", True),
        ("two\n12.5 s", False),
        ("one", False),
        ("one\n12.5 s\nthree", False),
        ("", False),
    ],
)
def test_a_page_that_is_wrong_is_noticed(expected, same, tmp_path):
    (tmp_path / "x.md").write_text(CONSOLE.format(expected))
    if same:
        page(tmp_path / "x.md", tmp_path)
    else:
        with pytest.raises(AssertionError, match="is not"):
            page(tmp_path / "x.md", tmp_path)


def test_a_command_that_fails_is_noticed(tmp_path):
    (tmp_path / "x.md").write_text("<!-- tested: run -->\n```sh\nfalse\ntrue\n```\n")
    with pytest.raises(AssertionError, match="exit status 1"):
        page(tmp_path / "x.md", tmp_path)
    (tmp_path / "x.md").write_text("<!-- tested: run, exit 1 -->\n```sh\nfalse\n```\n")
    page(tmp_path / "x.md", tmp_path)


def test_a_shell_block_without_a_mark_is_noticed(tmp_path):
    (tmp_path / "x.md").write_text("```sh\ntrue\n```\n")
    with pytest.raises(AssertionError, match="neither tested"):
        page(tmp_path / "x.md", tmp_path)


def test_files_and_what_was_before_come_in_the_order_of_the_page(tmp_path):
    text = "<!-- before:\necho x > a\n-->\n<!-- tested: b.txt -->\n```text\ny\n```\n"
    console = "<!-- tested: run -->\n```console\n$ cat \\\n    a b.txt\nx\ny\n```\n"
    (tmp_path / "x.md").write_text(text + console)
    page(tmp_path / "x.md", tmp_path)
