"""A log that people read: one line an epoch."""

from __future__ import annotations

from math import isnan
from pathlib import Path

from adframe import Report, Run, hookimpl
from adframe.interfaces import Observer

from .files import write_text


class TextLog(Observer):
    """Writes one line for each epoch to ``log.txt`` in the run folder, and how the run ended."""

    path: Path | None = None
    lines: list[str]

    @hookimpl
    def adframe_run_start(self, run: Run) -> None:
        self._write(run)

    @hookimpl
    def adframe_epoch_end(self, run: Run, epoch: int) -> None:
        self._write(run)

    @hookimpl
    def adframe_run_end(self, run: Run, report: Report) -> None:
        more = [run.finished] if run.finished else []
        self._write(run, *more, f"AUROC {report.mean_auroc:.4f}")

    def close(self, error: BaseException | None) -> None:
        if error is not None and self.path is not None:
            self._put([*self.lines, f"ended by {type(error).__name__}: {error}"])

    def _write(self, run: Run, *more: str) -> None:
        """Write the whole file from the history of the run, which a resumed run has too."""
        if run.out is None:
            return
        self.path = run.out / "log.txt"
        self.lines = [*(_line(run, epoch) for epoch in range(1, run.epoch + 1)), *more]
        self._put(self.lines)

    def _put(self, lines: list[str]) -> None:
        write_text(Path(str(self.path)), "".join(f"{line}\n" for line in lines))


def _line(run: Run, epoch: int) -> str:
    values = {name: of[epoch - 1] for name, of in run.history.items() if len(of) >= epoch}
    shown = [f"{name} {value:.4f}" for name, value in values.items() if not isnan(value)]
    return f"epoch {epoch}/{run.config.train.epochs}: {', '.join(shown)}"
