"""Search for nearest neighbours: over all rows of a bank, or in part of it with faiss."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from adframe.ops import topk_cosine

from .bank import Banked

Search = Literal["exact", "faiss"]

MIN_BATCH = 16  # queries at a time: from 20 on faiss takes another code path, with other rounding
CELLS = 4.0  # times the square root of the bank's rows: the cheapest of faiss's guidelines
SAMPLE, ROUNDS = 32, 4  # rows per cell and rounds of k-means; measured: docs/performance/notes.md


class Searching(Banked):
    """A score by the nearest training images.

    faiss splits the training images into cells around k-means centres (``IndexIVFFlat``) and
    compares an image with the nearest cells only. The cosine of what is found is exact. A graph
    (HNSW) would search faster, but the index is built again after a run is loaded, since only
    tensors are saved: cells take an eighth of the time and always come out the same.

    Args:
        search: [published: exact] ``faiss`` compares with part of the training images, for hundreds
            of thousands of them. Needs faiss-cpu.
        probes: [guess: 32] With faiss, how many of the 4 sqrt(M) cells of M training images are
            searched. More cells find the nearest image more often and take longer
            (docs/performance/notes.md).
    """

    neighbours: Neighbours

    def module(self) -> nn.Module | None:
        return super().module() if self.neighbours.search == "exact" else None


class Neighbours:
    """Mean cosine to the k nearest rows of a bank, with the options of ``Searching``.

    Raises:
        ValueError: ``search`` is faiss and faiss is not installed.
    """

    def __init__(self, search: Search, probes: int) -> None:
        if search == "faiss" and importlib.util.find_spec("faiss") is None:
            raise ValueError("search: faiss needs faiss-cpu: pip install faiss-cpu")
        self.search = search
        self.probes = probes
        self._bank: Tensor | None = None  # the bank that the indexes belong to
        self._indexes: list[Any] = []

    def __call__(self, queries: Sequence[Tensor], bank: Tensor, k: int = 1) -> list[Tensor]:
        """Mean cosine for each bank, shape (N,).

        Args:
            queries: for each bank, (N, D) unit vectors.
            bank: (M, D) or (banks, M, D) unit vectors. Never change it in place.
            k: number of neighbours that are averaged; M where M is smaller.
        """
        banks = bank.view(-1, *bank.shape[-2:])
        k = min(k, banks.shape[1])
        if self.search == "exact":
            pairs = zip(queries, banks, strict=True)
            return [topk_cosine(rows, bank, k).mean(1) for rows, bank in pairs]
        if self._bank is not bank:
            self._indexes = [_index(rows, self.probes) for rows in banks]
            self._bank = bank
        triples = zip(queries, banks, self._indexes, strict=True)
        return [_found(*triple, k) for triple in triples]


def _index(rows: Tensor, probes: int) -> Any:
    import faiss

    count, width = rows.shape
    cells = min(count, math.ceil(CELLS * math.sqrt(count)))
    centres = faiss.IndexFlatIP(width)
    index = faiss.IndexIVFFlat(centres, width, cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1  # no warning for small banks
    index.cp.max_points_per_centroid = SAMPLE
    index.cp.niter = ROUNDS
    index.train(rows.numpy())
    index.add(rows.numpy())
    index.nprobe = min(probes, cells)
    return index


def _found(queries: Tensor, bank: Tensor, index: Any, k: int) -> Tensor:
    """Mean cosine to the k nearest rows in the cells, or in the bank where cells hold fewer."""
    means = queries.new_empty(len(queries))
    for block, mean in zip(
        torch.split(queries, MIN_BATCH), torch.split(means, MIN_BATCH), strict=True
    ):
        cosine, place = map(torch.from_numpy, index.search(block.numpy(), k))
        torch.mean(cosine, dim=1, out=mean)
        lacking = place[:, -1] < 0
        mean[lacking] = topk_cosine(block[lacking], bank, k).mean(1)
    return means
