"""The largest cosine to a bank, against scikit-learn's brute force and faiss's flat index.

Unit vectors of width 512. Prints CPU seconds (best of interleaved rounds) and the peak memory of
one call in a fresh process. The faiss index is built before; its copy of the bank is not counted.
``products`` is not a search. It is only the matrix products that every exact search needs, as fast
as PyTorch computes them.

    python benchmarks/scoring.py [--quick]
"""

from __future__ import annotations

from collections.abc import Callable

import pairs
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.nn.functional import normalize

from adframe.ops import topk_cosine
from adframe.ops.nearest import COLUMNS

WIDTH = 512
MAX_ROWS_PER_PASS = 1024  # queries per block: fits 16 MiB, the default of the search


def contenders(queries: int) -> dict[str, Callable[[], object]]:
    """Each search on the same bank, which is five times as large as the number of queries."""
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
        "adframe": lambda: topk_cosine(ask, bank)[:, 0],
        "products": lambda: products(ask, bank),
    }


def products(queries: Tensor, bank: Tensor) -> None:
    """All inner products, in blocks as large as those of the search, with one shared buffer."""
    room = torch.empty(MAX_ROWS_PER_PASS * COLUMNS)
    for block in queries.split(MAX_ROWS_PER_PASS):
        for some in bank.split(COLUMNS):
            torch.mm(block, some.T, out=room[: len(block) * len(some)].view(len(block), -1))


def main() -> None:
    """Compares and prints the table."""
    sizes = {1000: 3} if pairs.arguments(__doc__).quick else {10_000: 2}
    pairs.compare(contenders, sizes, "queries", small=100)


if __name__ == "__main__":
    main()
