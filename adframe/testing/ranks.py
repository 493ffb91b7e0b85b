"""Several ranks as threads of one process, to check what they compute together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from adframe.errors import RankLost
from adframe.parallel.world import World

T = TypeVar("T")


def on_ranks(size: int, function: Callable[[World], T]) -> list[T]:
    """Call a function once for each rank, and return the results in the order of ranks.

    One thread runs at a time, until it exchanges something. Each has its own random numbers of
    torch on the CPU, all from the current state.

    Raises:
        BaseException: the first that the function raised.
    """
    table, results, errors = _Table(size), dict[int, T](), list[BaseException]()

    def run(rank: int) -> None:
        try:
            table.wait(rank)
            torch.set_rng_state(start)
            results[rank] = function(_Rank(rank, size, table))
        except BaseException as error:
            errors.append(error)
        finally:
            table.end(rank)

    start = torch.get_rng_state()
    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torch.set_rng_state(start)
    if errors:
        raise errors[0]
    return [results[rank] for rank in range(size)]


class _Table:
    """Where the ranks put what they exchange, and whose turn it is."""

    def __init__(self, size: int) -> None:
        self.alive, self.size, self.turn = list(range(size)), size, 0
        self.laid: dict[int, Any] = {}
        self.complete: list[Any] = []
        self.changed = threading.Condition()

    def wait(self, rank: int) -> None:
        with self.changed:
            self.changed.wait_for(lambda: self.turn == rank)

    def _next(self, rank: int) -> None:
        with self.changed:
            later = [other for other in self.alive if other > rank]
            self.turn = (later or self.alive or [rank])[0]
            self.changed.notify_all()

    def exchange(self, rank: int, value: Any) -> list[Any]:
        """What all ranks gave in this call."""
        self.laid[rank], state = value, torch.get_rng_state()
        if len(self.laid) == self.size:
            self.complete, self.laid = [self.laid[other] for other in range(self.size)], {}
        self._next(rank)
        self.wait(rank)
        torch.set_rng_state(state)
        if len(self.alive) < self.size and rank in self.laid:
            raise RankLost("another rank has ended")
        return self.complete

    def end(self, rank: int) -> None:
        self.alive.remove(rank)
        self._next(rank)


class _Rank(World):
    def __init__(self, rank: int, size: int, table: _Table) -> None:
        self.rank, self.size, self._table = rank, size, table

    def stack(self, values: Tensor) -> Tensor:
        return torch.stack(self._table.exchange(self.rank, values.detach().clone()))

    def reduce(self, values: Tensor) -> Tensor:
        return self.stack(values).sum(0)

    def broadcast(self, message: Any = None) -> Any:
        return self._table.exchange(self.rank, message)[0]
