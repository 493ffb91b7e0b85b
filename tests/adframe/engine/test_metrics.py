"""Values of metrics, and what is said of those that have none."""

import logging
from math import isnan, nan

import pytest
import torch

from adframe.engine.metrics import figure
from adframe.interfaces import Metric, Scored

SCORED = Scored(torch.tensor([0.0, 1.0]))


class Given(Metric):
    """Gives a value."""

    def __init__(self, value):
        self.given = value

    def value(self, normal, anomalous):
        return self.given


@pytest.mark.parametrize("value", [nan, 0.25])
def test_a_metric_that_is_not_defined_gets_a_line(value, caplog):
    with caplog.at_level(logging.WARNING, "adframe"):
        found = figure(Given(value), SCORED, SCORED)
    assert isnan(found) if isnan(value) else found == value
    assert ["NaN" in record.message for record in caplog.records] == [True] * isnan(value)
