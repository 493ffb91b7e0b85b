"""The processes that torchrun starts, joined by torch.distributed."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from adframe.errors import RankLost, UserError
from adframe.parallel.world import ALONE, World

if TYPE_CHECKING:
    import torch
    from torch import Tensor

#: How long a process waits for the others: while the first decodes images, or validates. If one
#: ends, its connections end, and the others know at once.
PATIENCE = timedelta(days=7)
_ERROR = "adframe/error"  # counts the processes that have an error to print


def of_environment(environment: Mapping[str, str] | None = None) -> World:
    """The processes that torchrun has started with this one; only this one without torchrun.

    Returns when all have started.

    Raises:
        UserError: the variables of torchrun are incomplete, or a process cannot be reached.
    """
    known = os.environ if environment is None else environment
    if known.get("WORLD_SIZE", "1") == "1" or "RANK" not in known:
        return ALONE
    return Ranks(known)


class Ranks(World):
    """Processes that are joined by torch.distributed: gloo on CPUs, NCCL on CUDA.

    Args:
        known: the variables that torchrun sets: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR,
            MASTER_PORT.

    Raises:
        UserError: one is missing, or a process cannot be reached.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        import torch
        from torch import distributed

        try:
            self.rank, self.size = int(known["RANK"]), int(known["WORLD_SIZE"])
            local = int(known.get("LOCAL_RANK", "0"))
            backend = "gloo"
            if distributed.is_nccl_available() and local < torch.cuda.device_count():
                torch.cuda.set_device(local)
                backend = "cpu:gloo,cuda:nccl"
            distributed.init_process_group(
                backend, rank=self.rank, world_size=self.size, timeout=PATIENCE
            )
        except KeyError as error:
            raise UserError(f"torchrun: the variable {error} is not set") from error
        except (RuntimeError, ValueError) as error:
            text = f"torchrun: the processes cannot be joined: {error}"
            raise UserError(text.partition("\n")[0]) from error

    def reduce(self, values: Tensor) -> Tensor:
        """Sum of a tensor over the processes."""
        from torch import distributed

        total = values.detach().clone(memory_format=_contiguous())
        with _lost():
            distributed.all_reduce(total)
        return total

    def stack(self, values: Tensor) -> Tensor:
        """The tensors of all processes."""
        from torch import distributed

        values = values.detach().contiguous()
        whole = values.new_empty(self.size, *values.shape)
        with _lost():
            distributed.all_gather_into_tensor(whole.view(-1), values.view(-1))
        return whole

    def broadcast(self, message: Any = None) -> Any:
        """The message of the first process, sent as JSON."""
        import torch
        from torch import distributed

        data = bytearray(json.dumps(message if self.main else None).encode())
        length = torch.tensor([len(data)])
        with _lost():
            distributed.broadcast(length, 0)
            text = torch.empty(int(length), dtype=torch.uint8)
            if self.main:
                text = torch.frombuffer(data, dtype=torch.uint8)
            distributed.broadcast(text, 0)
        return json.loads(bytes(text.tolist()))

    def reports(self) -> bool:
        """Whether this process is the first to call this."""
        from torch import distributed

        try:
            return distributed.distributed_c10d._get_default_store().add(_ERROR, 1) == 1
        except (RuntimeError, ValueError):  # who held the count has ended, and said nothing
            return True

    def check_device(self, device: torch.device) -> None:
        """Check that the backend has the device."""
        import torch
        from torch import distributed

        if device.type == "cpu" or device.type in str(distributed.get_backend_config()):
            return
        found = torch.cuda.device_count()
        raise UserError(
            f"train.device: {device.type} has {found} devices here, too few for the processes of "
            "this machine, or no NCCL; give torchrun a smaller --nproc-per-node"
        )

    def leave(self) -> None:
        """End the exchange."""
        from torch import distributed

        with suppress(RuntimeError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            distributed.destroy_process_group()


def _contiguous() -> Any:
    import torch

    return torch.contiguous_format


@contextmanager
def _lost() -> Iterator[None]:
    """Raise an error of adframe in place of those of the library.

    Raises:
        RankLost: it has.
    """
    try:
        yield
    except RuntimeError as error:
        raise RankLost("another process of this run has ended") from error
