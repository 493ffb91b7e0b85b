"""A TensorBoard log of a run."""

from __future__ import annotations

from torch.utils.tensorboard import SummaryWriter

from adframe import Report, Run, hookimpl


class TensorBoardLog:
    """Writes mean metrics per epoch and the final AUROC to ``tensorboard/`` in the run folder."""

    def __init__(self, run: Run) -> None:
        assert run.out is not None, "a log needs a folder"
        self.writer = SummaryWriter(run.out / "tensorboard")

    @hookimpl
    def adframe_epoch_end(self, run: Run, epoch: int) -> None:
        """Writes the mean metrics of the epoch immediately, since the run may be killed."""
        for name, value in run.epoch_metrics.items():
            self.writer.add_scalar(f"train/{name}", value, epoch)
        self.writer.flush()

    @hookimpl
    def adframe_run_end(self, run: Run, report: Report) -> None:
        """Writes the AUROC of each scorer."""
        for scorer, outcome in report.outcomes.items():
            for outliers, value in outcome.auroc.items():
                self.writer.add_scalar(f"auroc/{scorer}/{outliers}", value, run.epoch)
        self.writer.close()
