"""A run of any method on faces, trained and restored from its folder."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import adframe


@pytest.fixture
def trained_and_restored(tmp_path: Path) -> Callable[..., adframe.Report]:
    """``trained_and_restored(config, count)``: the report of a run of a config.

    Its figures and scores are in range, and its folder scores ``count`` inliers alike.
    """

    def trained_and_restored(config, count):
        report = adframe.run(config, out=tmp_path / "run")
        for outcome in report.outcomes.values():
            assert 0 <= outcome.mean <= 1
            assert all(bool(torch.isfinite(scores).all()) for scores in outcome.scores.values())
            assert len(torch.cat(list(outcome.scores.values())).unique()) > 1
        first = next(iter(report.outcomes.values()))
        data = config.dataset.build().load(config.seed)
        faces = data.test.pixels[~data.test.outlier][:count].permute(0, 2, 3, 1)
        again = torch.from_numpy(adframe.load(tmp_path / "run").score(faces))
        expected = first.scores["inliers"][:count]
        torch.testing.assert_close(again, expected, rtol=1e-4, atol=1e-4)
        return report

    return trained_and_restored
