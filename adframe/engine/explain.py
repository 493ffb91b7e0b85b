"""Scores and maps of images and image files by one fitted scorer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat

import torch
from torch import Tensor

from adframe.data.decode import ImageError, attempt_all, original_size
from adframe.data.map_files import Explanation
from adframe.data.reading import ReadAs, undo
from adframe.engine.features import MIN_BATCH
from adframe.engine.scoring import score
from adframe.errors import UserError
from adframe.interfaces import MapScorer, Method, Scorer, Shift
from adframe.io.paths import AnyPath, each
from adframe.registry.registry import name_of

BLOCK = 256  # files that are decoded and then scored together
Found = tuple[AnyPath, Explanation | ImageError]


@dataclass(frozen=True)
class Explainer:
    """Scores images, and gives maps if its scorer does.

    Attributes:
        scorer: a fitted scorer.
        method: the trained method.
        shifts: the shifting transformations of the run.
        seed: the seed of the run.
        reading: how files are read.
        least: images that a smaller batch is filled up to; see ``score``.
    """

    scorer: Scorer
    method: Method
    shifts: Sequence[Shift]
    seed: int
    reading: ReadAs
    least: int = MIN_BATCH

    def of_pixels(self, pixels: Tensor) -> list[Explanation]:
        """Scores, and maps if the scorer gives any, of (N, 3, H, W) uint8."""
        if not len(pixels):
            return []
        kept: list[Tensor] = []
        (scores,) = score(
            [self.scorer],
            self.method,
            self.shifts,
            pixels,
            self.seed,
            keep=lambda scorer, start, maps: kept.append(maps),
            least=self.least,
        )
        maps = iter(torch.cat(kept).numpy()) if kept else repeat(None)
        return [Explanation(value, each) for value, each in zip(scores.tolist(), maps)]  # noqa: B905

    def of_files(self, paths: AnyPath | Iterable[AnyPath]) -> Iterator[Found]:
        """Score and map, as the network sees the image, of each file."""
        rest = each(paths)
        while block := list(islice(rest, BLOCK)):
            images = list(attempt_all(block, self.reading))
            readable = [image for image in images if isinstance(image, Tensor)]
            found = iter(self.of_pixels(torch.stack(readable)) if readable else [])
            for path, image in zip(block, images, strict=True):
                yield path, next(found) if isinstance(image, Tensor) else image

    def with_maps(self, paths: AnyPath | Iterable[AnyPath]) -> Iterator[Found]:
        """Score and map, of the size of the file, of each file.

        Raises:
            UserError: the scorer gives no maps.
        """
        if not isinstance(self.scorer, MapScorer):
            text = f"{name_of(self.scorer)} gives no maps; train with a scorer that does"
            raise UserError(text)
        return map(self.of_file_size, self.of_files(paths))

    def of_file_size(self, found: Found) -> Found:
        """Bring a map back to the size of its file."""
        path, one = found
        if isinstance(one, ImageError) or one.map is None:
            return found
        whole = undo(torch.from_numpy(one.map), original_size(path), self.reading)
        return path, one._replace(map=whole.numpy())
