import math

import pytest
import torch
from torch import Tensor

from adframe_goad.scorer import ShiftCentres


def features(count: int, seed: int, views: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"features": torch.randn(count, views, 4, 3, generator=generator)}


@pytest.mark.parametrize("floor", [0.0, 2.0])
@pytest.mark.parametrize("views", [1, 2])
def test_equals_explicit_loops(floor: float, views: int) -> None:
    train, test, scorer = features(9, 0, views), features(3, 1, views), ShiftCentres(floor)
    scorer.fit(train)
    scores = scorer.score(test)
    centres = [
        [sum(train["features"][:, :, t, d].flatten().tolist()) / (9 * views) for d in range(3)]
        for t in range(4)
    ]
    for image in range(3):
        total = 0.0
        for view in range(views):
            for t in range(4):
                z = test["features"][image, view, t].tolist()
                squared = [sum((a - b) ** 2 for a, b in zip(z, c, strict=True)) for c in centres]
                weights = [math.exp(-max(value, floor)) for value in squared]
                total -= math.log(weights[t] / sum(weights))
        assert float(scores[image]) == pytest.approx(total / views, rel=1e-4)


def test_what_is_far_from_its_places_is_more_anomalous_and_the_fit_is_restored() -> None:
    places = torch.eye(4, 3)[None, None] * 5
    scorer, again = ShiftCentres(), ShiftCentres()
    scorer.fit({"features": places.expand(6, -1, -1, -1)})
    swapped = places[:, :, [1, 0, 2, 3]]
    both = {"features": torch.cat([places, swapped])}
    normal, odd = scorer.score(both)
    assert odd > normal + 1
    again.restore(scorer.state())
    assert torch.equal(again.score(both), scorer.score(both))
