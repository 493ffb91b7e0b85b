"""Draws good and bad maps of each defect: ``python tools/map_picture.py RUN OUT.png``.

The run must have test images with masks, in the layout of MVTec AD. For each defect one row shows
the image, its mask and its map: of the image whose map separates the pixels of the mask from others
best (by AUROC), of the median one, and of the worst one. The highest tenth of a map is coloured.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from sklearn.metrics import roc_auc_score

import adframe
from adframe.data.image_errors import ImageError
from adframe.data.map_files import MapRange, overlay

HEIGHT, WIDTH, GAP, LABEL = 96, 96, 4, 64  # pixels
COLOURS = 128  # of the file


def main(run: Path, out: Path) -> None:
    """Score the defects of a run's data set and draw three of each."""
    detector = adframe.load(run)
    root = Path(detector.dataset.root)  # type: ignore[attr-defined]
    folders = sorted(folder for folder in (root / "test").iterdir() if folder.name != "good")
    width = LABEL + 3 * (3 * (WIDTH + GAP) + 3 * GAP)
    page = Image.new("RGB", (width, len(folders) * (HEIGHT + GAP)), "white")
    draw = ImageDraw.Draw(page)
    for row, folder in enumerate(folders):
        top = row * (HEIGHT + GAP)
        draw.text((2, top + HEIGHT // 2 - 6), folder.name, fill="black")
        found = []
        for path, one in detector.explain_files(sorted(folder.iterdir())):
            mask_file = root / "ground_truth" / folder.name / f"{Path(path).stem}_mask.png"
            mask = np.asarray(Image.open(mask_file).convert("L")) > 0
            if isinstance(one, ImageError) or one.map is None or not 0 < mask.mean() < 1:
                continue
            value = float(roc_auc_score(mask.ravel(), one.map.ravel()))
            found.append((value, str(path), one.pixels, mask, one.map))
        found.sort(key=lambda each: each[:2])
        for place, (value, path, pixels, mask, values) in enumerate(
            [found[-1], found[len(found) // 2], found[0]]
        ):
            left = LABEL + place * (3 * (WIDTH + GAP) + 3 * GAP)
            shown = [pixels, np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)]
            images = [Image.fromarray(np.ascontiguousarray(each)) for each in shown]
            low, start, high = np.quantile(values, [0, 0.9, 1]).tolist()
            shown_map = overlay(pixels, values, MapRange(low, start, high))
            for index, image in enumerate([*images, shown_map]):
                page.paste(image.resize((WIDTH, HEIGHT)), (left + index * (WIDTH + GAP), top))
            draw.text(
                (left + 2, top + 2),
                f"{value:.2f}",
                fill="white",
                stroke_width=1,
                stroke_fill="black",
            )
            print(f"{folder.name:12} {value:.3f} {path}")
    page.quantize(COLOURS, Image.Quantize.FASTOCTREE).save(out, optimize=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
