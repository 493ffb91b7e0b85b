"""Early stopping: when it ends a run, by explicit histories and in a run."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import pytest

import adframe
from adframe.errors import UserError

MAKE = {"name": "early_stopping"}


def ended(values, **options):
    """The epoch after which a run with this history of ``loss`` ends; None if it does not."""
    observer = adframe.build("observer", {"name": "early_stopping", **options})
    for epoch in range(1, len(values) + 1):
        reasons = []
        run = SimpleNamespace(history={"loss": values[:epoch]}, finish=reasons.append)
        observer.adframe_epoch_end(run, epoch)
        if reasons:
            return epoch
    return None


@pytest.mark.parametrize(
    ("values", "options", "epoch"),
    [
        ([3, 2, 1, 1, 1], {"patience": 2}, 5),  # equal is not better
        ([3, 2, 1, 0, 0], {"patience": 2}, None),
        ([1, 2, 3, 2, 2], {"patience": 2, "better": "higher"}, 5),
        ([1, 0.95, 0.9, 0.85], {"patience": 3, "least": 0.5}, 4),
        ([1, 0.95, 0.9, 0.4], {"patience": 3, "least": 0.5}, None),  # from the best, not the last
        ([math.nan, 2, math.nan, 2, math.nan], {"patience": 3}, 5),
    ],
)
def test_it_ends_so_many_epochs_after_the_best(values, options, epoch):
    assert ended(values, **options) == epoch


def test_a_metric_without_a_value_is_named():
    with pytest.raises(UserError, match="no value of 'auroc' in 2 epochs; there is: loss"):
        ended([1.0, 1.0], metric="auroc", patience=2)


STOPPED = (
    "train.epochs=6", "optimizer.lr=1e-9",
    "observers=[{name: early_stopping, patience: 1, least: 1}, text_log]",
)  # fmt: skip


def test_a_run_that_ends_early_is_evaluated_and_says_so(toy, tmp_path):
    out = tmp_path / "run"
    report = adframe.run(toy(*STOPPED), out)
    result = json.loads((out / "result.json").read_text())
    assert (report.epochs, result["epochs"]) == (2, 2)
    assert report.finished == result["finished"]
    assert report.finished.startswith("loss is not better than ")
    assert json.loads((out / "state.json").read_text())["finished"] == report.finished
    assert report.finished in (out / "log.txt").read_text()
    before = {path.name: path.read_bytes() for path in out.glob("s*.*")}
    again = adframe.run(toy(*STOPPED), out, resume=True)  # it stays finished
    assert (again.epochs, again.finished) == (2, report.finished)
    assert before["scores.csv"] == (out / "scores.csv").read_bytes()
    assert adframe.run(toy(*STOPPED, "train.epochs=7"), out, resume=True, extend=True).epochs == 3
