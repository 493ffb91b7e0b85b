"""A contrastive loss whose anchors two processes share, against one process, forward and backward.

    python benchmarks/shared_loss.py [--quick]

Both processes hold all embeddings of the batch (128 wide), as in a run under torchrun, exchange
tensors by gloo on this machine, and take one thread each. CPU seconds are those of the slower
process, best of interleaved rounds, with the exchange; memory is the peak of one call in new
processes. Before, values and gradients are compared in float64.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from typing import Any

import pairs
import torch
from contrastive_loss import views
from torch import nn

import adframe
from adframe.parallel.ranks import of_environment
from adframe.parallel.rows import by_rows, sharing
from adframe.parallel.world import ALONE, World

LOSSES: dict[str, dict[str, Any]] = {
    "uniclr": {"name": "uniclr"},
    "uniclr, soft": {"name": "uniclr", "soft_aggregation": "pairwise"},
    "firm": {"name": "firm"},
}
SMALL = 640  # views; takes the same code path


def call(
    world: World, name: str, count: int, dtype: torch.dtype = torch.float32
) -> Callable[[], tuple[float, torch.Tensor]]:
    """Function that computes a loss of gathered embeddings, and its gradient."""
    loss, seen = adframe.build("loss", LOSSES[name]), views(count)
    seen.view = torch.arange(2).repeat_interleave(count // 2)
    keys = torch.Generator().manual_seed(0)
    z, identity = torch.randn(count, 128, generator=keys).to(dtype).requires_grad_(), nn.Identity()

    def run() -> tuple[float, torch.Tensor]:
        z.grad = None
        with sharing(world):
            value = loss(by_rows(identity, torch.clone, z), seen)
        value.backward()
        assert z.grad is not None
        return value.item(), z.grad

    return run


def agree(world: World, name: str) -> float:
    """Largest difference of value and gradient from one process, in float64."""
    both = [call(of, name, SMALL, torch.float64)() for of in (ALONE, world)]
    (one, pull), (two, shared) = [(value, grad.clone()) for value, grad in both]
    return max(abs(one - two), (pull - shared).abs().max().item())


def seconds(world: World, name: str, count: int, rounds: int) -> list[float]:
    """CPU seconds of this process: alone, and together with the other."""
    both = {"one": call(ALONE, name, count), "two": call(world, name, count)}
    return list(pairs.seconds(both, rounds).values())


def peak(world: World, name: str, count: int, shared: bool) -> float:
    """MiB that one call takes in this process."""
    of = world if shared else ALONE
    call(of, name, SMALL)()
    return pairs.peak_of(call(of, name, count))


def together(task: Callable[..., Any], *given: Any) -> list[Any]:
    """What a task returns in each of two new processes, forked from this one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        known = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
                 "MASTER_PORT": str(free.getsockname()[1])}  # fmt: skip
    results = []
    for rank in range(2):
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.environ |= {**known, "RANK": str(rank), "LOCAL_RANK": str(rank)}
                world = of_environment()
                os.write(writes, json.dumps(task(world, *given)).encode())
                world.leave()
                status = 0
            finally:
                os._exit(status)
        os.close(writes)
        results.append((child, reads))
    found = []
    for child, reads in results:
        with open(reads, encoding="ascii") as file:
            text = file.read()
        if os.waitpid(child, 0)[1]:
            raise SystemExit("shared_loss.py: a process failed")
        found.append(json.loads(text))
    return found


def main() -> None:
    """Compares each loss and prints the table."""
    count, rounds = (2048, 2) if pairs.arguments(__doc__).quick else (8192, 3)
    rows: list[list[str | float]] = []
    for name in LOSSES:
        apart = max(together(agree, name))
        assert apart < 1e-9, f"{name}: one and two processes differ by {apart}"
        cpu = [max(each) for each in zip(*together(seconds, name, count, rounds), strict=True)]
        mib = [max(together(peak, name, count, shared)) for shared in (False, True)]
        for label, took, of in zip(("one process", "two"), cpu, mib, strict=True):
            part = [took / cpu[0], of / mib[0]]
            rows.append([f"{name}, {count} views, {label}", took, of, *part])
    heads = ["loss", "CPU s per process", "peak MiB per process", "of the time", "of the memory"]
    pairs.table(heads, rows)


if __name__ == "__main__":
    main()
