"""The benchmarks that need no peer still run, and print their tables."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def printed(name: str, flag: str) -> str:
    """What a benchmark prints."""
    command = [sys.executable, "-W", "ignore", str(BENCHMARKS / f"{name}.py"), flag]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["batches", "loop", "hierarchical_step", "optimizer"])
def test_a_quick_look_prints_a_table(name: str) -> None:
    assert "| --" in printed(name, "--quick")


def test_emulated_bfloat16_is_exact_but_for_one_rounding() -> None:
    _, _, *rows = printed("bfloat16", "--check").splitlines()
    off = {name: cells for name, *cells in (re.split(r"\s*\|\s*", row)[1:-1] for row in rows)}
    assert all(0 < float(each) < 2**-9 for each in off["bf16, emulated"])
