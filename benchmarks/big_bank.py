"""``search: faiss`` against the exact search, and against faiss's graph, on a big bank.

The bank holds unit vectors of width 512 near a surface of 16 dimensions, as features do: noise
after a random network of two layers. Each row of the table shows the time of a query, how often the
nearest vector is found, by how much the cosine is too low in the mean, and the time to build the
index, once after each loading of a run. CPU seconds, best of interleaved rounds.

    python benchmarks/big_bank.py [--quick]
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pairs
import torch
from torch import Tensor
from torch.nn.functional import normalize

import adframe

WIDTH, SURFACE = 512, 16
PROBES = (8, 16, 32, 64)


def vectors(count: int, seed: int) -> Tensor:
    """Unit vectors, shape (count, WIDTH), from the same network for every seed."""
    network, noise = (torch.Generator().manual_seed(number) for number in (7, seed))
    first = torch.randn(SURFACE, 256, generator=network)
    second = torch.randn(256, WIDTH, generator=network)
    return normalize((torch.randn(count, SURFACE, generator=noise) @ first).relu() @ second)


def scorer(bank: Tensor, **options: object) -> Callable[[Tensor], Tensor]:
    """A search by a scorer on that bank: returns the cosine to the nearest vector."""
    built = adframe.build("scorer", {"name": "knn", **options})
    built.fit({"features": bank[:, None, None]})
    return lambda queries: 1 - built.score({"features": queries[:, None, None]})


def graph(bank: Tensor, effort: int) -> Callable[[Tensor], Tensor]:
    """The graph of faiss (HNSW), with as many links as its guidelines recommend."""
    faiss = pairs.peer("faiss")
    index = faiss.IndexHNSWFlat(WIDTH, 32, faiss.METRIC_INNER_PRODUCT)
    index.add(bank.numpy())
    index.hnsw.efSearch = effort
    return lambda queries: torch.from_numpy(index.search(queries.numpy(), 1)[0][:, 0])


def main() -> None:
    """Compares and prints the table."""
    count, query_count, rounds = (
        (20_000, 200, 1) if pairs.arguments(__doc__).quick else (100_000, 500, 3)
    )
    pairs.peer("faiss").omp_set_num_threads(1)
    bank, queries = vectors(count, 0), vectors(query_count, 1)
    made: dict[str, Callable[[Tensor], Tensor]] = {"exact": scorer(bank)}
    ready = {"exact": 0.0}
    makers = {
        f"{probes} probes": lambda probes=probes: scorer(bank, search="faiss", probes=probes)
        for probes in PROBES
    }
    makers["faiss HNSW, efSearch 32"] = lambda: graph(bank, 32)
    for name, make in makers.items():
        started = time.process_time()
        made[name] = make()
        made[name](queries[:1])  # builds the index
        ready[name] = time.process_time() - started
    found = {name: search(queries) for name, search in made.items()}
    cpu = pairs.seconds({n: lambda s=s: s(queries) for n, s in made.items()}, rounds)
    rows: list[list[str | float]] = []
    for name, value in cpu.items():
        short = found["exact"] - found[name]
        share = f"{100 * float((short < 1e-5).float().mean()):.1f} %"
        shortfall = f"{float(short.clamp(min=0).mean()):.5f}"
        faster = cpu["exact"] / value
        rows.append(
            [name, 1e3 * value / query_count, faster, share, shortfall, f"{ready[name]:.1f}"]
        )
    heads = ["search", "ms a query", "times faster", "nearest found", "cosine short", "index s"]
    print(f"{count} vectors of width {WIDTH}\n")
    pairs.table(heads, rows)


if __name__ == "__main__":
    main()
