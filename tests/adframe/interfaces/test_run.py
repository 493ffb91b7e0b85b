"""What hooks may do with a run."""

import math
from types import SimpleNamespace

import pytest
import torch

from adframe.interfaces import Run


@pytest.fixture
def run():
    return Run(SimpleNamespace(), None, None, {}, None, torch.device("cpu"))


def test_a_logged_value_is_in_the_metrics_and_the_history_of_its_epoch(run):
    run.epoch, run.epoch_metrics, run.history = 3, {"loss": 1.0}, {"loss": [3.0, 2.0, 1.0]}
    run.log("spread", 0.5)
    assert run.epoch_metrics == {"loss": 1.0, "spread": 0.5}
    assert [math.isnan(value) for value in run.history["spread"]] == [True, True, False]


def test_a_metric_is_not_replaced_and_none_logged_before_an_epoch(run):
    with pytest.raises(ValueError, match="before the first epoch"):
        run.log("spread", 0.5)
    run.epoch, run.epoch_metrics = 1, {"loss": 1.0}
    with pytest.raises(ValueError, match="has a metric 'loss' already"):
        run.log("loss", 0.5)
    with pytest.raises(ValueError, match="could not convert"):
        run.log("spread", "high")
    assert run.epoch_metrics == {"loss": 1.0}
    assert run.history == {}
    run.log("spread", torch.tensor(0.25))
    assert (run.history, type(run.epoch_metrics["spread"])) == ({"spread": [0.25]}, float)
