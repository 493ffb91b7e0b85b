"""Early stopping."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Literal

from adframe import Run, UserError, hookimpl
from adframe.interfaces import Count, NonNegative, Observer


class EarlyStopping(Observer):
    """Ends training when a metric has not become better for some epochs.

    The network of the last epoch is evaluated, not that of the best one.

    Args:
        metric: A metric of the run's log, such as ``loss``; or ``validation_auroc``, in a config
            with ``validation``.
        better: Whether lower or higher values are better.
        patience: [guess: 10] Epochs after the best one until training ends.
        least: [guess: 0] Smallest change that counts as better.
    """

    has_effect = True

    def __init__(
        self,
        metric: str = "loss",
        better: Literal["lower", "higher"] = "lower",
        patience: Count = 10,
        least: NonNegative = 0.0,
    ) -> None:
        self.metric = metric
        self.sign = 1 if better == "higher" else -1
        self.patience = patience
        self.least = least

    @hookimpl
    def adframe_epoch_end(self, run: Run, epoch: int) -> None:
        values = run.history.get(self.metric, [])
        best = self._best(values)
        if best is None and epoch >= self.patience:
            known = ", ".join(run.history)
            raise UserError(
                f"early_stopping: no value of '{self.metric}' in {epoch} epochs; there is: {known}"
            )
        if best is not None and epoch - best >= self.patience:
            value = values[best - 1]
            run.finish(f"{self.metric} is not better than {value:.4g}, that of epoch {best}")

    def _best(self, values: Sequence[float]) -> int | None:
        """Number of the best epoch, the first one on a tie; None without a value."""
        best = None
        for epoch, value in enumerate(values, start=1):
            if isnan(value):
                continue
            if best is None or self.sign * (value - values[best - 1]) > self.least:
                best = epoch
        return best
