"""A TensorBoard log; needs the package tensorboard (``pip install adframe[tensorboard]``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adframe import Run

from .logger import Logger


class TensorBoard(Logger):
    """Writes metrics to ``tensorboard/`` in the run folder, for TensorBoard."""

    def __init__(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer_of: Any = SummaryWriter
        self.writer: Any = None

    def open(self, run: Run) -> None:
        assert run.out is not None, "only a run with a folder is logged"
        # A resumed run writes the epochs after its checkpoint again.
        self.writer = self.writer_of(str(run.out / "tensorboard"), purge_step=run.epoch)

    def write(self, values: Mapping[str, float], epoch: int) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, epoch)
        self.writer.flush()  # the run may be killed

    def close(self, error: BaseException | None) -> None:
        if self.writer is not None:
            self.writer.close()
