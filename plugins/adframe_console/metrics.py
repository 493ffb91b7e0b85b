"""The metric log of a run folder, ``metrics.jsonl``."""

from __future__ import annotations

import json
import time

from adframe import Run, UserError, hookimpl


class MetricLog:
    """One JSON line per epoch: epoch, step, seconds since this process began, mean metrics."""

    def __init__(self, run: Run) -> None:
        assert run.out is not None, "a log needs a folder"
        self.path = run.out / "metrics.jsonl"
        self.started = time.monotonic()
        self.fresh = True

    @hookimpl
    def adframe_epoch_end(self, run: Run, epoch: int) -> None:
        lines = self._before(epoch) if self.fresh else []
        seconds = round(time.monotonic() - self.started, 2)
        lines.append(
            json.dumps({"epoch": epoch, "step": run.step, "seconds": seconds, **run.means})
        )
        try:
            with self.path.open("w" if self.fresh else "a", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in lines))
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror or error}") from error
        self.fresh = False

    def _before(self, epoch: int) -> list[str]:
        """Lines a resumed run keeps: those of epochs that are not trained again."""
        if not self.path.exists():
            return []
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["epoch"] < epoch:
                    kept.append(line)
            except (ValueError, KeyError, TypeError):
                continue  # a line cut short when the process was killed
        return kept
