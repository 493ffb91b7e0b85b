"""Table 3, on a toy folder in the layout of MVTec AD."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adframe.cli.main import main

pytestmark = pytest.mark.slow

TRAIN, TEST = 8, 2


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Grey noise; a hole is a white square in it, a stain a black one."""
    noise = np.random.default_rng(0)
    counts = {"train/good": TRAIN, "test/good": TEST, "test/hole": TEST, "test/stain": TEST}
    for name, count in counts.items():
        split, _, kind = name.partition("/")
        (tmp_path / "parts" / name).mkdir(parents=True)
        (tmp_path / "parts/ground_truth" / kind).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            pixels = noise.integers(100, 156, (64, 64), dtype=np.uint8)
            if kind != "good":
                mask = np.zeros_like(pixels)
                mask[8:24, 8 + index : 24] = 255
                pixels[mask > 0] = 255 if kind == "hole" else 0
                path = tmp_path / f"parts/ground_truth/{kind}/{index}_mask.png"
                Image.fromarray(mask).save(path)
            Image.fromarray(pixels).save(tmp_path / f"parts/{split}/{kind}/{index}.png")
    return tmp_path / "parts"


def run(parts: Path, *rows: str) -> dict[str, dict[str, float | None]]:
    """Mean of each column, of these rows of Table 3 at the smoke budget."""
    out = parts.parent / "out"
    chosen = [text for row in rows for text in ("--only", row)]
    command = ["reproduce", "table3", "--data", str(parts), "--out", str(out), *chosen]
    assert main(command) == 0
    facts = json.loads((out / "table.json").read_text())
    found = {}
    for row in facts["parts"][0]["rows"]:
        cells = {cell["column"]: cell for cell in row["cells"]}
        assert all(cell["difference"] is None for cell in cells.values())  # of other images
        found[row["id"]] = {name: cell["mean"] for name, cell in cells.items()}
    result = next((out / rows[0]).rglob("result.json"))
    pooled = json.loads(result.read_text())["pooled"]
    assert found[rows[0]]["image"] == 100 * pooled["auroc"]
    assert found[rows[0]]["pixel"] in (None, 100 * pooled.get("pixel_auroc", 0))
    return found


def test_columns_are_images_and_pixels_of_all_defects_together(parts):
    found = run(parts, "patchcore")
    assert found["patchcore"]["image"] == 100  # a square of another brightness
    assert found["patchcore"]["pixel"] > 80
    assert found["droc"] == {"image": None, "pixel": None}


def test_every_row_runs(parts):
    rows = ["rotnet", "droc_rotation", "droc", "cutpaste", "unicon_ha", "padim"]
    found = run(parts, *rows, "cutpaste_image")
    for row in rows:
        assert None not in found[row].values()
    assert found["cutpaste_image"]["image"] is not None
    assert found["cutpaste_image"]["pixel"] is None
