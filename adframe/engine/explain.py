"""Scores and maps of images and image files by one fitted scorer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, repeat, tee

import numpy as np
import torch
from torch import Tensor

from adframe.data.ahead import attempt_all, each_read
from adframe.data.decode import ImageError, read_twice
from adframe.data.map_files import Explanation, Neighbour
from adframe.data.reading import ReadAs, undo
from adframe.data.region import lowest_outside
from adframe.engine.decision import p_values
from adframe.engine.features import MIN_BATCH
from adframe.engine.scoring import score
from adframe.interfaces import Features, MapScorer, Method, Scorer, Shift, ViewSpec
from adframe.io.paths import AnyPath, each

MOST_FILES, MOST_WHOLE = 256, 16  # that are scored together; in the size of the file
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
        self.note(features)
        return self.of.score(features)

    def note(self, features: Features) -> None:
        """Note the nearest training images of a few images."""
        rows, distances = self.of.nearest(features, self.count)
        self.found.append((rows.cpu(), distances.cpu()))

    def named(self, names: Sequence[str]) -> Iterator[tuple[Neighbour, ...]]:
        """The neighbours of each image, by name."""
        for rows, distances in self.found:
            for row, distance in zip(rows.tolist(), distances.tolist(), strict=True):
                yield tuple(map(Neighbour, (names[index] for index in row), distance))


class _NotingMaps(_Noting, MapScorer):
    """The same for a scorer that gives maps."""

    of: MapScorer

    def maps(self, features: Features) -> Tensor:
        self.note(features)
        return self.of.maps(features)

    def reduce(self, maps: Tensor) -> Tensor:
        return self.of.reduce(maps)


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
        noter = _NotingMaps if isinstance(self.scorer, MapScorer) else _Noting
        noting = noter(self.scorer, self.neighbours)
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
        maps = iter(self._within(torch.cat(kept)).numpy()) if kept else repeat(None)
        named = noting.named(self.names) if known else repeat(())
        values: Iterator[float | None] = repeat(None)
        if self.calibration is not None:
            values = iter(p_values(scores.numpy(), self.calibration).tolist())
        return [Explanation(*each) for each in zip(scores.tolist(), maps, values, named)]  # noqa: B905

    def of_files(self, paths: AnyPath | Iterable[AnyPath]) -> Iterator[Found]:
        """Score and map, as the network sees the image, of each file."""
        names, paths = tee(each(paths))
        decoded = attempt_all(paths, self.reading)  # ahead, while a block is scored
        while images := list(islice(decoded, self._block(MOST_FILES))):
            yield from zip(islice(names, len(images)), self._scored(images), strict=True)

    def of_whole_files(self, paths: AnyPath | Iterable[AnyPath]) -> Iterator[Found]:
        """Score, map and pixels in the size of each file, which is opened once."""
        if not isinstance(self.scorer, MapScorer):
            yield from self.of_files(paths)
            return
        rest = each(paths)
        while block := list(islice(rest, self._block(MOST_WHOLE))):
            read = list(each_read(block, partial(read_twice, reading=self.reading)))
            seen = [one if isinstance(one, ImageError) else one[0] for one in read]
            for path, both, one in zip(block, read, self._scored(seen), strict=True):
                if isinstance(one, ImageError) or isinstance(both, ImageError):
                    yield path, one
                    continue
                assert one.map is not None
                height, width = both[1].shape[1:]
                whole = undo(torch.from_numpy(one.map), (height, width), self.reading).numpy()
                yield path, one._replace(map=whole, pixels=both[1].permute(1, 2, 0).numpy())

    def _scored(self, images: list[Tensor | ImageError]) -> Iterator[Explanation | ImageError]:
        readable = [image for image in images if isinstance(image, Tensor)]
        found = iter(self.of_pixels(torch.stack(readable)) if readable else [])
        for image in images:
            yield next(found) if isinstance(image, Tensor) else image

    def _within(self, maps: Tensor) -> Tensor:
        counted = self.reading.counted()
        return maps if counted is None else lowest_outside(maps, counted)

    @property
    def at_once(self) -> int:
        """Files that ``of_files`` scores together: the rounding of a score depends on it."""
        return self._block(MOST_FILES)

    def _block(self, most: int) -> int:
        """Files that are decoded and then scored together, with pixels and maps in memory."""
        area = max(1, math.prod(self.reading.result(0, 0)))
        return max(1, min(most, PIXELS_PER_BLOCK // area))
