"""What the images of a folder are: sizes, channels, depth; copies, and test images trained on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from adframe.data.decode import open_image
from adframe.errors import UserError, one_line
from adframe.io.read import sha256_of
from adframe.start.layout import Files, Layout

SIDE = 24  # pixels of a grey thumbnail
CLOSE = 2.0  # levels of 255 by which thumbnails of near copies differ, root mean square
ALIKE = 0.1  # and at most this share of the thumbnail's contrast, its standard deviation
ALIGNED = 0.2  # mean correlation of normal thumbnails from which on the images lie alike
PAIRED = 500  # normal images that are correlated with each other
LIMIT = 10_000  # images that are opened; of more, evenly spaced ones
BLOCK = 1024  # thumbnails compared at once
CHANNELS = {"1": 1, "L": 1, "I": 1, "I;16": 1, "I;16B": 1, "I;16L": 1, "F": 1, "LA": 2, "RGBA": 4}


@dataclass(frozen=True)
class Seen:
    """One image file.

    Attributes:
        size: width and height in pixels.
        channels: 1 for grey, 2 with transparency, 3 for colours, 4.
        top: the largest value, for grey of more than 8 bits; otherwise 255.
        digest: SHA-256 of the file.
        thumbnail: (SIDE x SIDE,) float32, grey levels.
    """

    path: Path
    size: tuple[int, int]
    channels: int
    top: int
    digest: str
    thumbnail: np.ndarray


@dataclass(frozen=True)
class Survey:
    """The images of a layout.

    Attributes:
        layout: what is normal, and what is for testing.
        seen: the images that were opened.
        unreadable: those that cannot be read, with the reason.
        total: number of images; more than those opened if there are many.
        copies: pairs of files with the same bytes; ``near`` of images that look alike.
        leaks: test images of which a (near) copy is trained on, each with this copy.
    """

    layout: Layout
    seen: list[Seen]
    unreadable: list[str]
    total: int
    copies: list[tuple[Path, Path]]
    near: list[tuple[Path, Path]]
    leaks: list[tuple[Path, Path]]

    def lines(self) -> Iterator[str]:
        """What was found, in short lines."""
        layout = self.layout
        yield f"layout: {layout.title}"
        if layout.products:
            yield f"products: {', '.join(map(one_line, layout.products))}"
        yield f"train: {_counts(layout.train)}"
        yield f"test: {_counts(layout.test) or 'a share of these, held out'}"
        if layout.with_mask:
            odd = sum(len(of) for name, of in layout.test.items() if name not in layout.normal)
            yield f"masks: {layout.with_mask} of {odd} defects"
        if self.seen:
            yield f"pixels: {', '.join(self._pixels())}"
        if self.aligned:
            yield f"place: the normal images lie alike (correlation {self.alignment:.2f})"
        if len(self.seen) + len(self.unreadable) < self.total:
            yield f"opened: {len(self.seen)} of {self.total} images"
        if self.unreadable:
            yield f"unreadable: {len(self.unreadable)} images: {self.unreadable[0]}"
        for name, pairs in {
            "copies": self.copies,
            "near copies": self.near,
            "test images that are training images, or nearly": self.leaks,
        }.items():
            if pairs:
                yield f"{name}: {len(pairs)}, such as {_pair(pairs[0])}"

    def _pixels(self) -> Iterator[str]:
        sizes = Counter(one.size for one in self.seen)
        low, high = (tuple(map(f, zip(*sizes, strict=True))) for f in (min, max))
        shown = "x".join(map(str, low))
        yield shown if low == high else f"{shown} to {'x'.join(map(str, high))}"
        if len(sizes) > 1:
            yield f"{len(sizes)} sizes"
        kinds = Counter({1: "grey", 2: "grey with alpha", 4: "colour with alpha"}
                        .get(one.channels, "colour") for one in self.seen)  # fmt: skip
        yield " and ".join(name for name, _ in kinds.most_common())
        yield "8 bits" if self.bits is None else f"{self.bits} bits"

    @cached_property
    def alignment(self) -> float:
        """Mean correlation of grey thumbnails of two normal images, -1..1; 0 for less than two.

        Parts that always lie alike, under the same light, have a high one.
        """
        normal = {path for files in self.layout.train.values() for path in files}
        rows = [one.thumbnail for one in self.seen if one.path in normal]
        if len(rows) < 2:
            return 0.0
        chosen = rows[:: -(-len(rows) // PAIRED)]
        centred = np.stack(chosen) - np.mean(chosen, axis=1, keepdims=True)
        unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
        of_itself, count = float((unit**2).sum()), len(unit)
        return (float((unit.sum(0) ** 2).sum()) - of_itself) / (count * (count - 1))

    @property
    def aligned(self) -> bool:
        """Whether the normal images lie alike."""
        return self.alignment >= ALIGNED

    @property
    def bits(self) -> int | None:
        """Bits that grey values use, if those are more than 8: at most 16."""
        top = max((one.top for one in self.seen), default=255)
        return None if top <= 255 else max(9, min(16, top.bit_length()))


def survey(layout: Layout) -> Survey:
    """Open the images of a layout and compare them with each other."""
    train = [path for files in layout.train.values() for path in files]
    test = [path for files in layout.test.values() for path in files]
    paths = list(dict.fromkeys([*train, *test]))
    chosen = [paths[i * len(paths) // LIMIT] for i in range(LIMIT)] if len(paths) > LIMIT else paths
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(_attempt, chosen))
    seen = [one for one in found if isinstance(one, Seen)]
    unreadable = [one for one in found if isinstance(one, str)]
    first: dict[str, Path] = {}
    copies = [(one.path, to) for one in seen
              if (to := first.setdefault(one.digest, one.path)) != one.path]  # fmt: skip
    exact = {path for path, _ in copies}
    trained = set(train)
    near, leaks = list[tuple[Path, Path]](), list[tuple[Path, Path]]()
    for one, other in close_pairs([one.thumbnail for one in seen]):
        pair = seen[one].path, seen[other].path
        inside = [path in trained for path in pair]
        if layout.test and inside[0] != inside[1]:
            leaks.append(pair if inside[1] else pair[::-1])
        elif pair[0] not in exact:
            near.append(pair)
    one_each = list({pair[0]: pair for pair in reversed(leaks)}.values())[::-1]
    return Survey(layout, seen, unreadable, len(paths), copies, near, one_each)


def close_pairs(thumbnails: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Pairs (later, earlier) of thumbnails that look alike: each later one with its nearest.

    Images without contrast are never near copies: all of them look alike.
    """
    if not thumbnails:
        return
    rows = np.stack(thumbnails)
    square, bound = (rows**2).mean(1), np.minimum(CLOSE, ALIKE * rows.std(1)) ** 2
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        far = square[start : start + BLOCK, None] + square - 2 / rows.shape[1] * (block @ rows.T)
        earlier = np.arange(len(rows)) < np.arange(start, start + len(block))[:, None]
        far[~earlier] = np.inf
        nearest = far.argmin(1)
        distance = far[np.arange(len(block)), nearest]
        for row in np.flatnonzero(distance < bound[start : start + BLOCK]):
            yield int(start + row), int(nearest[row])


def _attempt(path: Path) -> Seen | str:
    try:
        digest = sha256_of(path)
        with open_image(path) as opened:
            deep, size = opened.mode.startswith(("I", "F")), opened.size
            channels = CHANNELS.get(opened.mode, 3)
            opened.draft("L", (4 * SIDE, 4 * SIDE))  # decodes fewer pixels of a JPEG
            grey, top = _grey(ImageOps.exif_transpose(opened), deep)
            small = grey.resize((SIDE, SIDE), Image.Resampling.BOX)
        thumbnail = np.asarray(small, dtype=np.float32).reshape(-1)
        return Seen(path, size, channels, top, digest, thumbnail)
    except UserError as error:
        return str(error)


def _grey(image: Image.Image, deep: bool) -> tuple[Image.Image, int]:
    """A grey image of 8 bits, and the largest value of the original."""
    if not deep:
        return image.convert("L"), 255
    values = np.asarray(image, dtype=np.float32)
    top = float(values.max())
    scaled = values * (255 / max(top, 1))
    return Image.fromarray(scaled.clip(0, 255).astype(np.uint8)), int(top)


def _counts(files: Files) -> str:
    return ", ".join(f"{len(of)} {one_line(name)}" for name, of in files.items())


def _pair(pair: tuple[Path, Path]) -> str:
    return " and ".join(one_line(str(path)) for path in pair)
