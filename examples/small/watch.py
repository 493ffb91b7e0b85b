"""Observers: a table of the epochs, a tracker, and a run that ends by its validation images."""

import csv
import json
from pathlib import Path

import torch
from torch.nn import functional as F

from adframe import Add, Report, Run, hookimpl
from adframe.interfaces import Count, Observer


class CSVLog(Observer):
    """One row for each epoch, in a file of the run folder.

    Args:
        file: [guess: log.csv] Its name.
    """

    def __init__(self, file: str = "log.csv") -> None:
        self.file = file

    @hookimpl
    def adframe_epoch_end(self, run: Run, epoch: int) -> None:
        if run.out is not None:
            columns = {"epoch": range(1, epoch + 1), **run.history}
            with (run.out / self.file).open("w", newline="") as file:
                csv.writer(file).writerows([columns, *zip(*columns.values(), strict=True)])


class Tracker(Observer):
    """What an experiment tracker gets: parameters, metrics, status. Here as lines of JSON.

    Args:
        file: The file that the lines are added to.
    """

    def __init__(self, file: Path = Path("tracked.jsonl")) -> None:
        self.file = file

    def tell(self, what: str, **facts: object) -> None:
        with self.file.open("a") as file:
            print(json.dumps({"what": what, **facts}), file=file)

    @hookimpl
    def adframe_run_start(self, run: Run) -> None:
        self.tell("params", **run.config.dump())

    @hookimpl
    def adframe_epoch_end(self, run: Run, epoch: int) -> None:
        self.tell("metrics", epoch=epoch, **run.epoch_metrics)

    @hookimpl
    def adframe_run_end(self, report: Report) -> None:
        self.tell("result", auroc=report.auroc)

    def close(self, error: BaseException | None) -> None:
        self.tell("end", status="finished" if error is None else repr(error))


class Compact(Observer):
    """Ends training when the validation features have not drawn closer together for some epochs.

    Args:
        patience: [guess: 2] That many.
    """

    has_effect = True  # it calls run.finish

    def __init__(self, patience: Count = 2) -> None:
        self.patience = patience

    @hookimpl
    def adframe_epoch_end(self, run: Run, epoch: int) -> None:
        assert run.data.validation is not None, "compact needs validation images"
        method, images = run.assembly.method.eval(), run.data.validation.pixels[:].to(run.device)
        with torch.no_grad():
            z = F.normalize(method.embed(images / 255)["features"])
        method.train()
        run.log("spread", float((z - z.mean(0)).square().sum(1).mean()))
        spread = run.history["spread"]
        if epoch - 1 - spread.index(min(spread)) >= self.patience:
            run.finish("the validation features draw no closer together")


@hookimpl
def adframe_register(add: Add) -> None:
    add("observer", "csv_log", CSVLog)
    add("observer", "tracker", Tracker)
    add("observer", "compact", Compact)
