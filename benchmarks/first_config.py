"""Which config suits a folder: the figures that the choice of ``adframe init`` comes from.

    python benchmarks/first_config.py faces digits FOLDER...

For each folder, ``init`` writes both of its configs, which are run with the same seed and side. A
row has the correlation of the normal images (from 0.2 on ``init`` compares), and of each scorer the
mean AUROC over the classes of anomalies. ``faces`` is 100 faces against 100 other photographs of
scikit-image; ``digits`` is each of three digits of scikit-learn against a fifth of the others.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.data import lfw_subset
from sklearn.datasets import load_digits

import adframe
from adframe.interfaces import Outcome
from adframe.start.first_config import find
from adframe.start.recipe import Choice

DIGITS = (0, 3, 8)  # normal ones


def main() -> None:
    """Print one row for each folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", help="faces, digits, or folders of classes")
    parser.add_argument("--side", type=int, default=32, help="pixels of the square images (32)")
    parser.add_argument("--epochs", type=int, default=20, help="of the trained one; 0: not run")
    arguments = parser.parse_args()
    print("| folder | images | correlation | compared | raw pixels | trained | CPU s |")
    print("|---|--:|--:|--:|--:|--:|--:|", flush=True)
    with tempfile.TemporaryDirectory() as made:
        for folder in folders(arguments.folders, Path(made)):
            print(row(folder, arguments.side, arguments.epochs), flush=True)


def row(folder: Path, side: int, epochs: int) -> str:
    """A row of the table; the seconds are those of both runs."""
    found = find(folder)
    compared, raw, brief = scores(folder, "compare", [f"dataset.size={side}"])
    trained, long = "-", 0.0
    if epochs:
        settings = [f"dataset.size={side}", f"train.epochs={epochs}", "scorer=nearest_cosine"]
        figure, long = scores(folder, "train", settings)
        trained = f"{figure:.1f}"
    images = sum(map(len, found.layout.train.values()))
    seconds = f"{brief:.0f}" + (f" + {long:.0f}" if epochs else "")
    name = f"| {folder.name} | {images} | {found.alignment:.2f} "
    return f"{name}| {compared:.1f} | {raw:.1f} | {trained} | {seconds} |"


def scores(folder: Path, recipe: Choice, settings: Sequence[str]) -> list[float]:
    """Mean AUROC in percent of each scorer of a config of ``init``; and CPU seconds of its run."""
    with tempfile.TemporaryDirectory() as place:
        written = adframe.init(folder, Path(place) / "x.yaml", recipe=recipe)
        start = time.process_time()
        settings = [*settings, "decision=null", "metrics=[]", "train.device=cpu"]
        report = adframe.run(adframe.load_config(written.out, settings))
    means = [100 * float(np.mean(means_of(each))) for each in report.outcomes.values()]
    return [*means, time.process_time() - start]


def means_of(outcome: Outcome) -> list[float]:
    """AUROC of each class of anomalies."""
    (title,) = outcome.auroc
    return list(outcome.by_class.get(title, outcome.auroc).values())


def folders(names: Sequence[str], place: Path) -> Iterator[Path]:
    """The folders; those of ``faces`` and ``digits`` are written to a place."""
    for name in names:
        if name == "faces":
            values = lfw_subset()  # type: ignore[no-untyped-call]
            pixels = (values * 255).round().astype(np.uint8)
            write(place / name, pixels, ["good"] * 100 + ["other"] * 100)
            yield place / name
        elif name == "digits":
            data = load_digits()
            pixels = (data.images * 255 / 16).round().astype(np.uint8)
            for normal in DIGITS:
                rows = [i for i, of in enumerate(data.target) if of == normal or not i % 5]
                of = ["good" if data.target[i] == normal else f"{data.target[i]}" for i in rows]
                write(place / f"digits, {normal}", pixels[rows], of)
                yield place / f"digits, {normal}"
        else:
            yield Path(name)


def write(folder: Path, pixels: np.ndarray, of: Sequence[str]) -> None:
    """Write images into folders of their classes."""
    for index, (image, name) in enumerate(zip(pixels, of, strict=True)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / name / f"{index:04d}.png")


if __name__ == "__main__":
    main()
