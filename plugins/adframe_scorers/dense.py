"""Scores of windows and of cells of feature maps, by another scorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Unpack

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn import functional as F

from adframe import UserError
from adframe.interfaces import Count, Features, ViewSpec, Windows
from adframe.ops import centres

from .places import PlaceOptions, Places

Stage = Annotated[int, Interval(ge=1)]
MOST = 32  # cells along the longer side, unless a scorer is given another number
PLAIN = "the inner scorer must read 'features' of the image as it is"


class Dense(Places):
    """A map by sliding windows: each window is scored as an image is, by another scorer.

    As in Sohn et al. (ICLR 2021) and CutPaste (Li et al., CVPR 2021). For networks that were
    trained on windows of this size. The cost is that of scoring each window.

    Args:
        patch: [published: 32] Side of a window in pixels.
        stride: [published: 4] Pixels from a window to the next.
        sigma: [guess: a quarter of the window] Standard deviation in pixels of the Gaussian that
            spreads scores.
        shared: A stage of the backbone, such as 4, whose map of the whole image is averaged over
            each window, in place of a pass for each window. Many times as fast, with other scores:
            a window sees the pixels around it. The inner scorer must read ``features`` of the image
            as it is. By default each window is passed through the network.
    """

    def __init__(
        self,
        patch: Count = 32,
        stride: Count = 4,
        shared: Stage | None = None,
        **options: Unpack[PlaceOptions],
    ) -> None:
        super().__init__(**options)
        if shared is not None and self.of.view_spec() != ViewSpec():
            raise ValueError(PLAIN)
        self.patch = patch
        self.stride = stride
        self.shared = shared

    def view_spec(self) -> ViewSpec:
        if self.shared is not None:
            return ViewSpec(outputs=(), stages=(self.shared,))
        return replace(self.of.view_spec(), windows=Windows(self.patch, self.stride))

    def places(self, features: Features) -> tuple[dict[str, Tensor], list[float], list[float]]:
        windows, size = Windows(self.patch, self.stride), features["size"][0].tolist()
        if self.patch > min(size):
            side, (high, wide) = self.patch, size
            raise UserError(
                f"windows of {side}x{side} pixels do not fit in images of {wide}x{high}"
            )
        starts = [windows.starts(length) for length in size]
        rows, columns = ([start + self.patch / 2 for start in side] for side in starts)
        if self.shared is not None:
            maps = features[f"stage_{self.shared}"]
            down, across = (
                _overlap(side, self.patch, length, cells).to(maps)
                for side, length, cells in zip(starts, size, maps.shape[-2:], strict=True)
            )
            return {"features": down @ maps @ across.T}, rows, columns
        outputs = {name: features[name] for name in self.of.view_spec().outputs}
        return outputs, rows, columns

    def width(self, size: Sequence[int]) -> float:
        return self.patch / 4


class FeatureMap(Places):
    """A map from the feature maps of the backbone: each cell is scored as an image is.

    The stages' maps are brought to one grid of cells and joined. One forward pass an image; for any
    backbone. The inner scorer must read ``features`` and no augmented views.

    Args:
        stages: [published: 2 and 3 in PatchCore] Stages of the backbone whose maps are joined.
        grid: [published: those of the finest stage in PatchCore] Cells along the longer side of an
            image; by default those of the finest stage, at most 32 (a guess). Finer maps are
            averaged, coarser ones interpolated.
        around: [published: 3 in PatchCore] Side of the square of positions that is averaged in each
            stage's map, before it is brought to the grid; an odd number.
        sigma: [published: 4 pixels at a side of 224 in PatchCore] Standard deviation in pixels of
            the Gaussian that spreads scores.
    """

    def __init__(
        self,
        stages: list[Stage] | None = None,
        grid: Annotated[int, Interval(ge=1, le=256)] | None = None,
        around: Annotated[int, Interval(ge=1, le=9)] = 3,
        **options: Unpack[PlaceOptions],
    ) -> None:
        super().__init__(**options)
        spec = self.of.view_spec()
        if spec != ViewSpec():
            raise ValueError(PLAIN)
        if around % 2 == 0:
            raise ValueError(f"around must be odd, not {around}")
        self.stages = sorted({2, 3} if stages is None else set(stages))
        self.grid = grid
        self.around = around

    def view_spec(self) -> ViewSpec:
        return ViewSpec(outputs=(), stages=tuple(self.stages))

    def places(self, features: Features) -> tuple[dict[str, Tensor], list[float], list[float]]:
        size = features["size"][0].tolist()
        cells = cells_of(features, self.stages, self.grid, self.around)
        rows, columns = map(centres, cells.shape[-2:], size)
        return {"features": cells}, rows, columns

    def width(self, size: Sequence[int]) -> float:
        return smoothing(size)


def _overlap(starts: Sequence[int], patch: int, length: int, cells: int) -> Tensor:
    """Share of each cell in each window along one side, (windows, cells); rows sum to 1."""
    edges = torch.arange(cells + 1, dtype=torch.float64) * (length / cells)
    first = torch.tensor(starts, dtype=torch.float64)[:, None]
    inside = torch.minimum(edges[1:], first + patch) - torch.maximum(edges[:-1], first)
    return inside.clamp(min=0) / patch


def smoothing(size: Sequence[int]) -> float:
    """PatchCore's standard deviation of maps: 4 pixels at a side of 224."""
    return 4 / 224 * max(size)


def cells_of(features: Features, stages: Sequence[int], grid: int | None, around: int) -> Tensor:
    """Feature maps of several stages, joined on one grid of cells.

    Args:
        features: what the scorer requested.
        stages: stages whose maps are joined.
        grid: cells along the longer side of an image; None for those of the finest stage, at most
            ``MOST``.
        around: side of the square of positions that is averaged first; odd.

    Returns:
        (N, views, shifts, D, rows, columns).
    """
    size = features["size"][0].tolist()
    if grid is None:
        grid = min(MOST, max(max(features[f"stage_{stage}"].shape[-2:]) for stage in stages))
    height, width = (max(1, round(grid * side / max(size))) for side in size)
    shape = height, width
    found = []
    for stage in stages:
        maps = features[f"stage_{stage}"]
        flat = maps.flatten(0, 2)
        if around > 1:
            half = around // 2
            flat = F.avg_pool2d(flat, around, 1, padding=half, count_include_pad=False)
        finer = flat.shape[2] >= shape[0] and flat.shape[3] >= shape[1]
        flat = (
            F.adaptive_avg_pool2d(flat, shape)
            if finer
            else F.interpolate(flat, size=shape, mode="bilinear", align_corners=False)
        )
        found.append(flat.view(*maps.shape[:3], *flat.shape[1:]))
    return torch.cat(found, dim=3)
