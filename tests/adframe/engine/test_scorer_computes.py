"""A scorer that computes with the network and fails does not disturb the others."""

import pytest

import adframe

PLUGIN = '''
from adframe import hookimpl
from adframe.interfaces import Scorer, ViewSpec

class Slope(Scorer):
    """Fails after some calls."""
    calls = 0
    def view_spec(self):
        return ViewSpec(outputs=("slope",), compute=self.slope)
    def slope(self, method, views):
        self.calls += 1
        if self.calls > LIMIT:
            RETURN
        return {"slope": views.flatten(1)[:, :1]}
    def score(self, features):
        return features["slope"].mean((1, 2, 3))

@hookimpl
def adframe_register(add):
    add("scorer", "slope", Slope)
'''
FAULTS = {
    ("0", "raise RuntimeError('no')"): "slope raised RuntimeError: no",
    ("1", "return views"): "compute returns a tensor of shape",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_its_fault_is_noted_and_the_others_score(toy, tmp_path, fault):
    (tmp_path / "p.py").write_text(PLUGIN.replace("LIMIT", fault[0]).replace("RETURN", fault[1]))
    settings = ["train.epochs=0", "scorer=[raw_pixels, slope]"]
    report = adframe.run(toy(*settings, plugins=[tmp_path / "p.py"]))
    assert list(report.failed) == ["slope"]
    assert FAULTS[fault] in report.failed["slope"]
    assert report.mean_auroc == report.outcomes["raw_pixels"].mean > 0
    counts = {title: len(of) for title, of in report.outcomes["raw_pixels"].scores.items()}
    assert {t: len(of) for t, of in report.outcomes["slope"].scores.items()} == counts
