"""The README's commands run in order, in a clean shell, in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)
LEFT_OUT = (
    ".venv",
    ".git",
    ".data",
    "runs",
    "build",
    "dist",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
)


def script():
    """The blocks as one script; ``make test`` is only looked up, since this is one of its tests."""
    text = (ROOT / "README.md").read_text()
    lines = []
    for language, block in BLOCK.findall(text):
        if language == "python":
            lines.append(f"python - <<'END'\n{block}END")
        else:
            lines.append(re.sub(r"^make test\b", "make -n test >/dev/null", block, flags=re.M))
    return "\n".join(lines)


@pytest.fixture
def checkout(tmp_path, warm):
    """A copy of the repository with a .venv that is set up, and sees what this one has.

    Its ``adframe`` starts with torch imported.
    """
    copy = tmp_path / "adframe"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    venv.create(copy / ".venv", symlinks=True)
    (packages,) = copy.glob(".venv/lib/python*/site-packages")
    outer = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "outer.pth").write_text(
        "".join(f"import site; site.addsitedir({path!r})\n" for path in outer)
    )
    command = copy / ".venv/bin/adframe"
    path = f"{copy}:{copy}/plugins"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{path}" exec "{warm}/adframe" "$@"\n')
    command.chmod(0o755)
    (copy / ".venv/.ready").touch()
    return copy


@pytest.mark.slow
@pytest.mark.timeout(1800)  # trains, on machines that may be busy
def test_the_readme_runs_in_order_in_a_clean_shell(checkout):
    environment = {
        "PATH": os.defpath,
        "HOME": str(checkout),
        "OMP_NUM_THREADS": "1",
        # make demo, but shorter
        "DEMO": "--set train.epochs=1 --set scorer.views=1 --set backbone.width=0.0625",
    }
    done = subprocess.run(
        ["sh", "-e", "-c", script()],
        cwd=checkout, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert (checkout / "runs/demo/result.json").is_file()
    assert len((checkout / "scores.csv").read_text().splitlines()) == 201


def test_the_script_holds_every_command_of_the_readme():
    commands = [
        line for line in script().splitlines() if line.startswith(("make", ". ", "adframe"))
    ]
    assert len(commands) == 11
    assert commands[0].startswith("make demo")
