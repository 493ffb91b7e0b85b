"""The benchmarks that need no peer still run, and print their tables."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def printed(warm: Path) -> Callable[..., str]:
    """What a benchmark prints."""

    def printed(name: str, *flags: str) -> str:
        command = [str(warm / "python"), str(BENCHMARKS / f"{name}.py"), *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr
        return done.stdout

    return printed


@pytest.mark.parametrize("name", ["batches", "loop", "hierarchical_step", "optimizer"])
def test_a_quick_look_prints_a_table(printed: Callable[..., str], name: str) -> None:
    assert "| --" in printed(name, "--quick")


def test_the_report_of_many_images_is_measured(printed: Callable[..., str]) -> None:
    head, _, row = printed("report", "--images", "8", "--side", "16").splitlines()
    assert head == "| test images | MB | CPU s | s |"
    assert row.startswith("| 8 | 0.")


def test_emulated_bfloat16_is_exact_but_for_one_rounding(printed: Callable[..., str]) -> None:
    _, _, *rows = printed("bfloat16", "--check").splitlines()
    off = {name: cells for name, *cells in (re.split(r"\s*\|\s*", row)[1:-1] for row in rows)}
    assert all(0 < float(each) < 2**-9 for each in off["bf16, emulated"])


def test_time_to_auroc_counts_small_images_by_their_share(
    printed: Callable[..., str], tmp_path: Path
) -> None:
    noise = np.random.default_rng(0)
    for part in ("train/ship", "test/ship", "test/horse"):
        (tmp_path / part).mkdir(parents=True)
        for index in range(16):
            pixels = noise.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / part / f"{index}.png")
    settings = ["scorer.views=1", "scorer.augmentation=null", "train.batch_size=8"]
    only = ["--only", "UniCon-HA, fast", "--classes", "ship"]
    given = [*only, "--quick", *(f"--set={each}" for each in settings), "--data", str(tmp_path)]
    whole = 2 * 4 * 16  # views, rotations, images
    for more, expected in ([], whole / 4), (["--set=backbone.size=16"], whole):
        row = printed("time_to_auroc", *given, *more).splitlines()[-1]
        assert int(row.split("|")[3]) == expected, more
