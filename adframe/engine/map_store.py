"""Maps of test images, kept in a temporary file until metrics have read them."""

from __future__ import annotations

import math
import tempfile

import numpy as np
import torch
from torch import Tensor

from adframe.interfaces import Images


class MapStore:
    """Maps of the test sets that have masks, by scorer; memory does not grow with their number."""

    def __init__(self) -> None:
        self._maps: dict[tuple[int, str], Tensor] = {}
        self._extremes: dict[tuple[int, str], list[Tensor]] = {}

    def note(self, scorer: int, title: str, maps: Tensor) -> None:
        """Note the extremes of a few maps of a set."""
        self._extremes.setdefault((scorer, title), []).append(
            torch.stack([maps.amin((1, 2)), maps.amax((1, 2))])
        )

    def range(self, scorer: int) -> dict[str, float]:
        """``Outcome.map_range`` of a scorer; empty if it gives no maps."""
        sets = {title: torch.cat(v, 1) for (i, title), v in self._extremes.items() if i == scorer}
        if not sets:
            return {}
        low, high = torch.cat(list(sets.values()), dim=1)
        normal = sets["inliers"][1].median()
        return {"low": float(low.min()), "normal": float(normal), "high": float(high.max())}

    def keep(self, scorer: int, title: str, images: Images, start: int, maps: Tensor) -> None:
        """Keep the maps of a few images of a set, from number ``start`` on."""
        key = scorer, title
        if key not in self._maps:
            self._maps[key] = _on_disk((len(images), *maps.shape[1:]))
        self._maps[key][start : start + len(maps)] = maps

    def of(self, scorer: int, title: str) -> Tensor | None:
        """The maps of a set, (N, H, W) float32; None if the scorer gives none."""
        return self._maps.get((scorer, title))


def _on_disk(shape: tuple[int, ...]) -> Tensor:
    """A tensor in a file that has no name and goes away with it."""
    with tempfile.TemporaryFile() as file:
        file.truncate(4 * math.prod(shape))
        return torch.from_numpy(np.memmap(file, np.float32, "r+", shape=shape))
