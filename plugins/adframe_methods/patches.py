"""Training on patches: random windows take the place of images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from annotated_types import Interval

from adframe.interfaces import Batch, Count, Method, MethodWrapper, Update
from adframe.ops import cut_window

CUT = 1  # tag of the keys that place the windows


class Patches(MethodWrapper):
    """Training on random square windows of the images, by any method.

    For the inner method each window is an image: shifts and augmentations see the window alone. All
    views of it show the same window. For neighbouring windows in each view, cut larger ones here
    and smaller ones by ``method.of.pre_shift: {name: random_window, ...}``. At test time the
    network gets what the scorer requests: use the scorer ``dense`` with windows of the same size.

    Args:
        of: The method.
        size: [published: 32 by Wang et al. and Sohn et al. for MVTec AD] Side of a window in
            pixels.
        windows: [guess: 1] Windows of each image in a batch. Each counts as one more image.
    """

    def __init__(
        self, of: Method, size: Count = 32, windows: Annotated[int, Interval(ge=1, le=1024)] = 1
    ) -> None:
        super().__init__(of)
        self.side = self.size = size
        self.windows = windows

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        return self.of.step(self._cut(batch), progress)

    def _cut(self, batch: Batch) -> Batch:
        """The batch with windows in place of images."""
        keys = batch.keys.repeat(self.windows)
        pixels = batch.pixels.repeat(self.windows, 1, 1, 1)
        return replace(
            batch,
            pixels=cut_window(pixels, keys.fold_in(CUT), self.size),
            label=batch.label.repeat(self.windows),
            keys=keys,
            exposed=None if batch.exposed is None else self._cut(batch.exposed),
        )
