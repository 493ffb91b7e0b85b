"""Scores and maps of images and image files by one fitted scorer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat, tee

import numpy as np
import torch
from torch import Tensor

from adframe.data.decode import ImageError, attempt_all, original_size
from adframe.data.map_files import Explanation, Neighbour
from adframe.data.reading import ReadAs, undo
from adframe.engine.decision import p_values
from adframe.engine.features import MIN_BATCH
from adframe.engine.scoring import score
from adframe.interfaces import Features, Method, Scorer, Shift, ViewSpec
from adframe.io.paths import AnyPath, each

BLOCK = 256  # files that are scored together, at most
PIXELS_PER_BLOCK = 1 << 20  # of them; the first scores come after one block
Found = tuple[AnyPath, Explanation | ImageError]


class _Noting(Scorer):
    """A scorer that notes the nearest training images of what it scores."""

    def __init__(self, of: Scorer, count: int) -> None:
        self.of, self.count = of, count
        self.found: list[tuple[Tensor, Tensor]] = []

    def view_spec(self) -> ViewSpec:
        return self.of.view_spec()

    def fit(self, features: Features) -> None:
        raise NotImplementedError

    def score(self, features: Features) -> Tensor:
        rows, distances = self.of.nearest(features, self.count)
        self.found.append((rows.cpu(), distances.cpu()))
        return self.of.score(features)

    def named(self, names: Sequence[str]) -> Iterator[tuple[Neighbour, ...]]:
        """The neighbours of each image, by name."""
        for rows, distances in self.found:
            for row, distance in zip(rows.tolist(), distances.tolist(), strict=True):
                yield tuple(map(Neighbour, (names[index] for index in row), distance))


def finds_nearest(scorer: Scorer) -> bool:
    """Whether a scorer knows the training images that are nearest to an image."""
    return type(scorer).nearest is not Scorer.nearest


@dataclass(frozen=True)
class Explainer:
    """Scores images, and gives maps if its scorer does.

    Attributes:
        scorer: a fitted scorer.
        method: the trained method.
        shifts: the shifting transformations of the run.
        seed: the seed of the run.
        reading: how files are read.
        names: names of the images that the scorer was fitted on, if they are known.
        neighbours: number of nearest training images that are named, if the scorer knows them.
        calibration: sorted scores of calibration images, if there are any.
        least: images that a smaller batch is filled up to; see ``score``.
    """

    scorer: Scorer
    method: Method
    shifts: Sequence[Shift]
    seed: int
    reading: ReadAs
    names: Sequence[str] = ()
    neighbours: int = 0
    calibration: np.ndarray | None = None
    least: int = MIN_BATCH

    def of_pixels(self, pixels: Tensor) -> list[Explanation]:
        """Scores, and maps if the scorer gives any, of (N, 3, H, W) uint8."""
        if not len(pixels):
            return []
        kept: list[Tensor] = []
        noting = _Noting(self.scorer, self.neighbours)
        known = bool(self.neighbours and self.names) and finds_nearest(self.scorer)
        (scores,) = score(
            [noting if known else self.scorer],
            self.method,
            self.shifts,
            pixels,
            self.seed,
            keep=lambda scorer, start, maps: kept.append(maps),
            least=self.least,
        )
        maps = iter(torch.cat(kept).numpy()) if kept else repeat(None)
        named = noting.named(self.names) if known else repeat(())
        values: Iterator[float | None] = repeat(None)
        if self.calibration is not None:
            values = iter(p_values(scores.numpy(), self.calibration).tolist())
        return [Explanation(*each) for each in zip(scores.tolist(), maps, values, named)]  # noqa: B905

    def of_files(self, paths: AnyPath | Iterable[AnyPath]) -> Iterator[Found]:
        """Score and map, as the network sees the image, of each file."""
        count = PIXELS_PER_BLOCK // math.prod(self.reading.result(-1, -1))
        count = min(BLOCK, max(2 * MIN_BATCH, count))
        names, paths = tee(each(paths))
        decoded = attempt_all(paths, self.reading)  # ahead, while a block is scored
        while images := list(islice(decoded, count)):
            block = islice(names, len(images))
            readable = [image for image in images if isinstance(image, Tensor)]
            found = iter(self.of_pixels(torch.stack(readable)) if readable else [])
            for path, image in zip(block, images, strict=True):
                yield path, next(found) if isinstance(image, Tensor) else image

    def of_file_size(self, found: Found) -> Found:
        """Bring a map back to the size of its file."""
        path, one = found
        if isinstance(one, ImageError) or one.map is None:
            return found
        whole = undo(torch.from_numpy(one.map), original_size(path), self.reading)
        return path, one._replace(map=whole.numpy())
