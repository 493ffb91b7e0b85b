import csv
import math

import pytest

import adframe
from adframe_observers.learning_rate_finder import steepest

FINDER = "observers=[{name: learning_rate_finder, steps: 12, low: 1e-3, high: 1e6}]"


@pytest.fixture(scope="module")
def runs(toy_file, tmp_path_factory):
    """A run with the observer and one without."""
    folder = tmp_path_factory.mktemp("runs")
    for name, settings in {"with": [FINDER], "without": []}.items():
        adframe.run(adframe.load_config(toy_file, ["train.epochs=1", *settings]), folder / name)
    return folder


def test_it_changes_nothing_of_the_run(runs):
    for name in ("model.safetensors", "scores.csv"):
        assert (runs / "with" / name).read_bytes() == (runs / "without" / name).read_bytes()


def test_the_rates_rise_evenly_on_a_logarithmic_scale_until_the_loss_is_not_finite(runs):
    rows = list(csv.DictReader((runs / "with/learning_rates.csv").read_text().splitlines()))
    rates = [float(row["rate"]) for row in rows]
    assert 2 <= len(rows) <= 12
    lr = adframe.load_config(runs / "with/config.yaml").optimizer.options["lr"]
    for step, rate in enumerate(rates):
        assert rate == pytest.approx(lr * 10 ** (-3 + 9 * step / 11))
    assert all(math.isfinite(float(row["loss"])) for row in rows)


def test_the_steepest_fall_is_found():
    def loss(x):  # falls fastest at x = 2, is smallest at 4, and rises
        return -math.tanh(x - 2) + max(x - 4, 0) ** 2

    trials = [(10 ** (x / 10 - 4), loss(x / 10)) for x in range(60)]
    assert steepest(trials) == pytest.approx(10 ** (2 - 4), rel=1e-6)


@pytest.mark.parametrize("losses", [[], [1.0], [1.0, 2.0, 3.0, 4.0]])
def test_losses_that_only_rise_give_no_rate(losses):
    assert steepest([(10.0**index, loss) for index, loss in enumerate(losses)]) is None


def test_rates_in_the_wrong_order_are_refused(toy):
    with pytest.raises(adframe.UserError, match="low 2 must be less than high 1"):
        adframe.run(toy("observers=[{name: learning_rate_finder, low: 2, high: 1}]"), None)
