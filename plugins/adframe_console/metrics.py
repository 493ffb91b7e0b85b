"""The metric log of a run folder, ``metrics.jsonl``."""

from __future__ import annotations

import json
import os
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
        seconds = round(time.monotonic() - self.started, 2)
        line = {"epoch": epoch, "step": run.step, "seconds": seconds, **run.epoch_metrics}
        try:
            if self.fresh:
                self._forget(epoch)
                self.fresh = False
            with open(self.path, "a", encoding="utf-8", opener=_opener) as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())  # before the checkpoint that follows counts it as written
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def _forget(self, epoch: int) -> None:
        """Remove incomplete lines and lines from this epoch on; a resumed run writes them again."""
        if not self.path.exists():
            return
        kept = 0
        with self.path.open("r+b") as file:
            for line in file:
                if not (line.endswith(b"\n") and _epoch(line) < epoch):
                    break
                kept += len(line)
            file.truncate(kept)


def _opener(path: str, flags: int) -> int:
    """Open a file, but no link: the folder of a run may come from somebody else."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _epoch(line: bytes) -> float:
    try:
        return float(json.loads(line)["epoch"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return float("inf")
