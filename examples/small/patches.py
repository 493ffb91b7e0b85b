"""Training on random windows, and a score of each window that becomes a map of the image.

The bundled ``patches`` and ``dense`` have more options.
"""

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor
from torch.nn import functional as F

from adframe import Add, hookimpl
from adframe.interfaces import (
    Batch,
    Count,
    Features,
    MapScorer,
    Method,
    MethodWrapper,
    Update,
    ViewSpec,
    Windows,
)
from adframe.ops import cut_window, spread_scores, topk_cosine


class Cut(MethodWrapper):
    """Another method, trained on a random window of each image.

    Args:
        of: The method.
        size: [published: 32] Side of a window in pixels.
    """

    def __init__(self, of: Method, size: Count = 32) -> None:
        super().__init__(of)
        self.size = self.side = size
        self.takes_exposed = False

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        pixels = cut_window(batch.pixels, batch.keys.fold_in(1), self.size)
        return self.of.step(replace(batch, pixels=pixels), progress)


class WindowMap(MapScorer):
    """A map of the cosine distance of each window to the nearest training window.

    Args:
        size: [published: 32] Side of a window in pixels.
        stride: [guess: 16] Pixels from a window to the next.
    """

    def __init__(self, size: Count = 32, stride: Count = 16) -> None:
        self.windows = Windows(size, stride)

    def view_spec(self) -> ViewSpec:
        return ViewSpec(windows=self.windows)

    def units(self, features: Features) -> Tensor:
        """Unit vectors (N, rows, columns, D)."""
        return F.normalize(features["features"].float().mean((1, 2)).movedim(1, -1), dim=-1)

    def fit(self, features: Features) -> None:
        self.bank = self.units(features).flatten(0, 2)

    def maps(self, features: Features) -> Tensor:
        z, half, size = self.units(features), self.windows.size / 2, features["size"][0].tolist()
        distance = 1 - topk_cosine(z.flatten(0, 2), self.bank).view(z.shape[:3])
        rows, columns = ([start + half for start in self.windows.starts(side)] for side in size)
        return spread_scores(distance, rows, columns, size, sigma=half / 2)


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "cut", Cut)
    add("scorer", "window_map", WindowMap)
