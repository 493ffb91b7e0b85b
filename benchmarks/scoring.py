"""The largest cosine to a bank, against scikit-learn's brute force and faiss's flat index.

Unit vectors of width 512. Prints CPU seconds (best of interleaved rounds) and the peak memory of
one call in a fresh process. The faiss index is built beforehand; its copy of the bank is not
counted. ``products`` is no search: the matrix products that every exact search needs, alone, as
fast as PyTorch does them.

    python benchmarks/scoring.py [--quick]
"""

from __future__ import annotations

from collections.abc import Callable

import pairs
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.nn.functional import normalize

import adframe
from adframe.ops.nearest import COLUMNS

WIDTH = 512
ROWS = 1024  # of queries in a block: what fits 16 MiB, the search's default


def contenders(queries: int) -> dict[str, Callable[[], object]]:
    """Each search over the same bank, five times as large as there are queries."""
    faiss = pairs.peer("faiss")
    faiss.omp_set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    ask = normalize(torch.randn(queries, WIDTH, generator=generator))
    bank = normalize(torch.randn(5 * queries, WIDTH, generator=generator))
    brute = NearestNeighbors(n_neighbors=1, algorithm="brute", metric="cosine").fit(bank.numpy())
    flat = faiss.IndexFlatIP(WIDTH)
    flat.add(bank.numpy())
    return {
        "scikit-learn": lambda: brute.kneighbors(ask.numpy()),
        "faiss": lambda: flat.search(ask.numpy(), 1),
        "adframe": lambda: adframe.max_cosine(ask, bank),
        "products": lambda: products(ask, bank),
    }


def products(queries: Tensor, bank: Tensor) -> None:
    """All inner products, in blocks of the search's size that share one buffer."""
    room = torch.empty(ROWS * COLUMNS)
    for block in queries.split(ROWS):
        for some in bank.split(COLUMNS):
            torch.mm(block, some.T, out=room[: len(block) * len(some)].view(len(block), -1))


def main() -> None:
    """Compare and print the table."""
    sizes = {1000: 3} if pairs.arguments(__doc__).quick else {10_000: 2}
    pairs.compare(contenders, sizes, "queries", small=100)


if __name__ == "__main__":
    main()
