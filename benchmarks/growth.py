"""How cost grows: CPU seconds against images, files, views, classes, queries and components.

Each curve doubles one number and keeps all others. The exponent is the slope on log axes over the
larger half: 1 is linear. ``expected`` is what the work itself needs; the losses compare all pairs,
so views have 2. Writes one picture of all curves, and prints the exponents.

    python benchmarks/growth.py [--quick] [--out docs/performance/growth.png]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pairs
import torch
from PIL import Image
from torch.nn.functional import normalize

import adframe
from adframe.config.yaml_tree import parse
from adframe.data.find import find_images
from adframe.data.lazy import image_digests
from adframe.data.load import read_images
from adframe.engine.metrics import auroc
from adframe.interfaces import RandomKeys
from adframe.ops import group_contrast, topk_cosine
from adframe.registry.loading import LoadedPlugins, load_plugins

Curve = tuple[str, float, list[int], Callable[[int], Callable[[], object]]]
PLUGIN = "from adframe import hookimpl\n\n\n@hookimpl\ndef adframe_register(add):\n"


def write(folder: Path, count: int, in_a_folder: int = 500) -> list[Path]:
    """Writes that many small JPEG files, and returns them."""
    draw, files = np.random.default_rng(0), []
    for number in range(count):
        place = folder / f"{number // in_a_folder:05}"
        place.mkdir(parents=True, exist_ok=True)
        file = place / f"{number:06}.jpg"
        if number < 16:
            small = Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            small.resize((32, 32)).save(file, quality=95)
        else:
            file.write_bytes(files[number % 16].read_bytes())
        files.append(file)
    return files


def loss(views: int) -> Callable[[], object]:
    """A contrastive loss and its gradient."""
    z = torch.randn(views, 128, generator=torch.Generator().manual_seed(0)).requires_grad_()
    group = torch.arange(views // 2).repeat(2)
    return pairs.backward(lambda: group_contrast(z, group, 0.5).mean(), z)


def rows(count: int) -> torch.Tensor:
    """Unit vectors of width 128."""
    return normalize(torch.randn(count, 128, generator=torch.Generator().manual_seed(0)))


def views_of(strength: float, images: int) -> Callable[[], object]:
    """The augmentation of a batch."""
    augmentation = adframe.build("augmentation", {"name": "simclr"})
    pixels = torch.randint(0, 256, (images, 3, 32, 32), dtype=torch.uint8)
    keys = RandomKeys.from_index(0, torch.arange(images))
    return lambda: augmentation(pixels, keys, strength)


def scored(images: int) -> Callable[[], object]:
    """AUROC of one set, of which half are anomalous."""
    draw = torch.Generator().manual_seed(0)
    scores = {name: torch.rand(images // 2, generator=draw) for name in ("inliers", "other")}
    return lambda: auroc(scores)


def classes(folder: Path, count: int) -> Callable[[], object]:
    """A data set of that many classes of four images, all of them normal."""
    root = folder / f"classes-{count}"
    for number in range(count):
        write(root / f"class_{number:05}", 4)
    options = {
        "name": "image_folder",
        "root": str(root),
        "normal": [p.name for p in root.iterdir()],
    }
    return lambda: adframe.build("dataset", options).load(0)


def many(folder: Path, count: int) -> Callable[[], LoadedPlugins]:
    """A plugin with that many components, loaded alone, and each looked up once."""
    lines = (f'    add("loss", "many_{n}", "many.part:Many{n}")\n' for n in range(count))
    file = folder / f"many_{count}.py"
    file.write_text(PLUGIN + "".join(lines), encoding="utf-8")

    def run() -> LoadedPlugins:
        loaded = load_plugins([file], sources=[])
        for number in range(count):
            loaded.registry.get("loss", f"many_{number}")
        return loaded

    return run


def config(keys: int) -> Callable[[], object]:
    """A YAML text of that many keys."""
    text = "".join(f"key_{n}: {{name: knn, k: {n}}}\n" for n in range(keys))
    return partial(parse, text, "many.yaml", lines=True)


def curves(folder: Path, quick: bool) -> Iterable[Curve]:
    """Name, expected exponent, sizes, and what is measured at a size."""
    least = 4 if quick else 5

    def sizes(first: int) -> list[int]:
        return [first << step for step in range(least)]

    files = write(folder / "files", sizes(500)[-1])
    places = {n: folder / "some" / str(n) for n in sizes(500)}
    for count, place in places.items():
        write(place, count)
    bank = rows(4096)
    images = read_images(files[:16])
    yield "files listed", 1, sizes(500), lambda n: partial(find_images, places[n])
    yield "files read", 1, sizes(250), lambda n: partial(read_images, files[:n])
    yield (
        "images, digests",
        1,
        sizes(500),
        lambda n: partial(image_digests, images[torch.arange(n) % 16]),
    )
    yield "images augmented", 1, sizes(64), partial(views_of, 1.0)
    yield "images, AUROC", 1, sizes(20_000), scored
    yield "views, loss", 2, sizes(512), loss
    yield "queries, kNN", 1, sizes(256), lambda n: partial(topk_cosine, rows(n), bank, 5)
    yield "bank, kNN", 1, sizes(2048), lambda n: partial(topk_cosine, bank[:256], rows(n), 5)
    yield "classes", 1, sizes(32), partial(classes, folder)
    yield "components", 1, sizes(250), partial(many, folder)
    yield "config keys", 1, sizes(100), config


def exponent(counts: list[int], seconds: list[float]) -> float:
    """Slope on log axes over the larger half."""
    half = len(counts) // 2
    slope, _ = np.polyfit(np.log(counts[half:]), np.log(seconds[half:]), 1)
    return float(slope)


def draw(found: dict[str, tuple[list[int], list[float], float]], out: Path) -> None:
    """One picture of all curves on log axes."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 6), layout="constrained")
    colours = plt.get_cmap("tab20")
    for index, (name, (counts, seconds, slope)) in enumerate(found.items()):
        label = f"{name}: {slope:.2f}"
        axes.loglog(counts, seconds, "o-", color=colours(index), label=label, linewidth=1.5)
    axes.set_xlabel("number")
    axes.set_ylabel("CPU seconds")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(title="exponent", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(out, dpi=110)


def main() -> None:
    """Measures, prints the table and draws the picture."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer sizes and rounds")
    parser.add_argument("--out", type=Path, help="picture to write")
    given = parser.parse_args()
    found: dict[str, tuple[list[int], list[float], float]] = {}
    table: list[list[str | float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, expected, counts, make in curves(Path(folder), given.quick):
            work = {str(count): make(count) for count in counts}
            seconds = [*pairs.seconds(work, 2 if given.quick else 4).values()]
            slope = exponent(counts, seconds)
            found[name] = counts, seconds, slope
            range_of = f"{counts[0]} to {counts[-1]}"
            table.append([name, range_of, 1000 * seconds[-1], f"{slope:.2f}", f"{expected:.0f}"])
    pairs.table(["cost against", "from, to", "CPU ms at the end", "exponent", "expected"], table)
    if given.out is not None:
        draw(found, given.out)


if __name__ == "__main__":
    main()
