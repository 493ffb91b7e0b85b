import pytest

import adframe


@pytest.mark.parametrize("measure", ["cosine", "l2"])
def test_it_is_the_floor_that_a_run_reports(toy, measure):
    report = adframe.run(toy(f"scorer={{name: raw_pixels, measure: {measure}}}", "train.epochs=1"))
    floor = report.floor[measure]
    scale = 1 if measure == "cosine" else 255
    for title, scores in report.outcomes["raw_pixels"].scores.items():
        assert (scale * scores).numpy() == pytest.approx(floor.scores[title].numpy(), rel=1e-3)
    assert report.auroc == pytest.approx(floor.auroc)
    assert not report.below_floor or measure == "l2"
