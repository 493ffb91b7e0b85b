"""The processes that train one network together, as one of them sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class World:
    """One process that trains alone; the base class of those that train together.

    Each process is a rank. All of them must make the same calls in the same order.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def main(self) -> bool:
        """Whether this process writes files, calls hooks and prints."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of ``count`` rows belong to this process; shares differ by at most one row."""
        return self.shares(count)[self.rank]

    def shares(self, count: int) -> list[slice]:
        """The rows of each process."""
        ends = [count * rank // self.size for rank in range(self.size + 1)]
        return [slice(*ends[rank : rank + 2]) for rank in range(self.size)]

    def reduce(self, values: Tensor) -> Tensor:
        """Sum of a tensor over the processes; each has one of the same shape."""
        return values

    def stack(self, values: Tensor) -> Tensor:
        """The tensors of all processes, of equal shape, along a new first dimension."""
        return values[None]

    def broadcast(self, message: Any = None) -> Any:
        """The message of the first process, a value as in JSON; those of the others are ignored."""
        return message

    def gather(self, rows: Tensor, count: int) -> Tensor:
        """All ``count`` rows, from the share of each process."""
        if self.size == 1:
            return rows
        shares = [share.stop - share.start for share in self.shares(count)]
        if count % self.size == 0:
            return self.stack(rows).flatten(0, 1)
        padded = rows.new_zeros(max(shares), *rows.shape[1:])
        padded[: len(rows)] = rows
        whole: Tensor = padded.new_empty(count, *rows.shape[1:])
        for share, part in zip(self.shares(count), self.stack(padded), strict=True):
            whole[share] = part[: share.stop - share.start]
        return whole

    def highest(self, *numbers: int) -> list[int]:
        """For each number, the highest of all processes."""
        if self.size == 1:
            return list(numbers)
        import torch

        found: list[int] = self.stack(torch.tensor(numbers)).amax(0).tolist()
        return found

    def reports(self) -> bool:
        """Whether this process prints the error that ends all: the first that calls this does."""
        return True

    def check_device(self, device: torch.device) -> None:
        """Check that the processes can exchange tensors of a device.

        Raises:
            UserError: they cannot.
        """

    def leave(self) -> None:
        """End the exchange in good order. The others may continue without this process."""


#: The process that trains alone.
ALONE = World()
