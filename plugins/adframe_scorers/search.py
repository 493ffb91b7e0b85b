"""The nearest rows of a bank: all are compared, or those in the cells of faiss's inverted lists."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from adframe import max_cosine
from adframe.interfaces import Scorer

Search = Literal["exact", "faiss"]

BUDGET, COLUMNS = 16 << 20, 4096  # bytes of a block and rows of the bank in it, as max_cosine's
MIN_BATCH = 16  # queries at a time: from 20 on faiss finds cells otherwise, with other rounding
CELLS = 4.0  # times the root of the bank's rows: of faiss's guidelines, the cheapest
SAMPLE, ROUNDS = 32, 4  # rows per cell and rounds of k-means; measured: docs/performance/notes.md


class Searching(Scorer):
    """A score by the nearest of the training images.

    With faiss these are split into cells around k-means' centres (``IndexIVFFlat``), and an image
    is compared with those of the cells nearest to it. A graph (HNSW) finds as many in less time,
    but only tensors are saved with a run and an index is made anew after loading: cells take an
    eighth of a graph's time, and every time come out the same. Of what is found the cosine is
    exact.

    Args:
        search: [published: exact] ``faiss`` compares with a part of the training images; for
            hundreds of thousands. Needs the extra ``adframe[faiss]``.
        probes: [guess: 32] With faiss, how many of the 4 sqrt(M) cells of M training images are
            looked into: more find the nearest more often and take longer
            (docs/performance/notes.md).
    """


class Neighbours:
    """Mean cosine to the k nearest rows of a bank, as ``Searching`` has it."""

    def __init__(self, search: Search, probes: int) -> None:
        if search == "faiss" and importlib.util.find_spec("faiss") is None:
            raise ValueError("search: faiss needs faiss-cpu: pip install 'adframe[faiss]'")
        self.search = search
        self.probes = probes
        self._bank: Tensor | None = None  # which the indexes are of
        self._indexes: list[Any] = []

    def __call__(self, queries: Sequence[Tensor], bank: Tensor, k: int = 1) -> list[Tensor]:
        """(N,) for each bank, from (N, D) queries; all rows count where there are fewer than k.

        Args:
            queries: of each bank, unit vectors.
            bank: (M, D) or (banks, M, D) unit vectors; not to be changed, but for another tensor.
            k: how many neighbours are averaged.
        """
        banks = bank.view(-1, *bank.shape[-2:])
        k = min(k, banks.shape[1])
        if self.search == "exact":
            return [mean_cosine(*pair, k) for pair in zip(queries, banks, strict=True)]
        if self._bank is not bank:
            self._indexes = [_index(rows, self.probes) for rows in banks]
            self._bank = bank
        triples = zip(queries, banks, self._indexes, strict=True)
        return [_found(*triple, k) for triple in triples]


@torch.no_grad()
def mean_cosine(queries: Tensor, bank: Tensor, k: int, budget: int = BUDGET) -> Tensor:
    """(N,) mean of the k largest cosines of each query to rows of the bank.

    Args:
        queries: (N, D) floating point, rows of unit length.
        bank: (M, D) likewise, with k rows or more.
        budget: bytes for a block; memory does not grow with N, nor with M but for k.
    """
    if k == 1:
        return max_cosine(queries, bank, budget)
    columns = min(len(bank), max(k, COLUMNS))
    rows = max(1, budget // (2 * (columns + k) * queries.element_size()))
    means = [queries.new_empty(0)]
    for block in queries.split(rows):
        best = block.new_empty(len(block), 0)
        for some in bank.split(columns):
            both = torch.cat([best, block @ some.T], dim=1)
            best = both.topk(min(k, both.shape[1]), dim=1, sorted=False).values
        means.append(best.mean(1))
    return torch.cat(means)


def _index(rows: Tensor, probes: int) -> Any:
    import faiss

    count, width = rows.shape
    cells = min(count, math.ceil(CELLS * math.sqrt(count)))
    centres = faiss.IndexFlatIP(width)
    index = faiss.IndexIVFFlat(centres, width, cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1  # without a word about small banks
    index.cp.max_points_per_centroid = SAMPLE
    index.cp.niter = ROUNDS
    index.train(rows.numpy())
    index.add(rows.numpy())
    index.nprobe = min(probes, cells)
    return index


def _found(queries: Tensor, bank: Tensor, index: Any, k: int) -> Tensor:
    """The mean cosine to the k nearest in the cells; of all, where those hold fewer."""
    means = queries.new_empty(len(queries))
    for block, mean in zip(queries.split(MIN_BATCH), means.split(MIN_BATCH), strict=True):
        cosine, place = map(torch.from_numpy, index.search(block.numpy(), k))
        torch.mean(cosine, dim=1, out=mean)
        lacking = place[:, -1] < 0
        mean[lacking] = mean_cosine(block[lacking], bank, k)
    return means
