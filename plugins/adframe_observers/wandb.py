"""A log of Weights & Biases; needs the package wandb (``pip install adframe[wandb]``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from adframe import Run

from .logger import Logger


class WandB(Logger):
    """Logs config and metrics with Weights & Biases, to ``wandb/`` in the run folder.

    Args:
        project: Name of the project.
        mode: ``offline`` sends nothing; ``wandb sync`` does so later.
    """

    def __init__(
        self, project: str = "adframe", mode: Literal["offline", "online"] = "offline"
    ) -> None:
        import wandb

        self.init: Any = wandb.init
        self.project, self.mode = project, mode
        self.log: Any = None

    def open(self, run: Run) -> None:
        assert run.out is not None, "only a run with a folder is logged"
        self.log = self.init(
            project=self.project, mode=self.mode, dir=str(run.out), name=run.out.name,
            config=run.config.dump(),
        )  # fmt: skip

    def write(self, values: Mapping[str, float], epoch: int) -> None:
        # The results come after the metrics of the last epoch, and a step is written once.
        self.log.log({"epoch": epoch, **values})

    def close(self, error: BaseException | None) -> None:
        if self.log is not None:
            self.log.finish(exit_code=int(error is not None))
