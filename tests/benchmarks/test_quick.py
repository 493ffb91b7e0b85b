"""The benchmarks that need no peer still run, and print their tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("name", ["loop", "hierarchical_step", "optimizer"])
def test_a_quick_look_prints_a_table(name: str) -> None:
    command = [sys.executable, "-W", "ignore", str(BENCHMARKS / f"{name}.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    assert "| --" in done.stdout
