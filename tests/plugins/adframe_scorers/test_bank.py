"""Scorers with a bank find the nearest training images, and take new ones without a fit."""

import pytest
import torch

from adframe import UserError
from adframe.interfaces import Scorer
from adframe_scorers.coreset import coreset
from adframe_scorers.dense import FeatureMap
from adframe_scorers.density import KDE, GaussianDensity
from adframe_scorers.nearest import KNN, NearestCosine
from adframe_scorers.patchcore import PatchCore
from adframe_scorers.pixels import RawPixels

SCORERS = {
    "nearest_cosine": lambda: NearestCosine(apply_shifts=True),
    "knn": KNN,
    "raw_pixels": RawPixels,
    "raw_pixels l2": lambda: RawPixels("l2"),
}


def features(count, seed):
    draw = torch.Generator().manual_seed(seed)
    of = torch.randn(count, 1, 3, 12, generator=draw)
    return {"features": of, "pixels": of[:, :, :1], "projection": of}


@pytest.fixture(params=SCORERS)
def scorer(request):
    scorer = SCORERS[request.param]()
    scorer.fit(features(9, 0))
    return scorer


def test_the_nearest_images_are_those_of_single_banks(scorer):
    """The distance to each training image is the score by a bank of it alone."""
    new = features(5, 1)
    rows, distances = scorer.nearest(new, 4)
    single = []
    for index in range(9):
        alone = type(scorer).__new__(type(scorer))
        alone.__dict__.update(scorer.__dict__)
        alone.fit({name: values[index : index + 1] for name, values in features(9, 0).items()})
        single.append(alone.score(new))
    expected = torch.stack(single, dim=1).sort(1)
    assert torch.equal(rows, expected.indices[:, :4])
    torch.testing.assert_close(distances, expected.values[:, :4])
    assert scorer.nearest(new, 99)[0].shape == (5, 9)


def test_a_grown_bank_is_that_of_a_fit_on_all(scorer):
    kept = scorer.grow(features(4, 2), None)
    assert kept.tolist() == list(range(13))
    grown = scorer.score(features(5, 1))
    both = [features(9, 0), features(4, 2)]
    scorer.fit({name: torch.cat([each[name] for each in both]) for name in both[0]})
    torch.testing.assert_close(grown, scorer.score(features(5, 1)))


def test_a_limit_keeps_a_coreset(scorer):
    whole = torch.cat([scorer.bank, scorer.rows(features(4, 2))], dim=-2)
    kept = scorer.grow(features(4, 2), 6)
    flat = whole if whole.ndim == 2 else whole.permute(1, 0, 2).flatten(1)
    assert torch.equal(kept, coreset(flat, 6))
    assert torch.equal(scorer.bank, whole[..., kept, :])


def maps_of(count, seed):
    draw = torch.Generator().manual_seed(seed)
    stages = {f"stage_{s}": torch.randn(count, 1, 1, 6, 4, 4, generator=draw) for s in (2, 3)}
    size, index = torch.full((count, 2), 16), torch.arange(count)
    return {**stages, "size": size, "index": index, "label": torch.full((count,), -1)}


def test_a_bank_of_places_grows_as_if_fitted_on_all():
    old, new, other = maps_of(5, 0), maps_of(3, 1), maps_of(4, 2)
    grown, whole = PatchCore(coreset=1.0, regions=2), PatchCore(coreset=1.0, regions=2)
    grown.fit(grown.collect(old))
    assert grown.grow(grown.collect(new), None).tolist() == []
    parts = [whole.collect(old), whole.collect(new)]
    whole.fit({name: torch.cat([part[name] for part in parts]) for name in parts[0]})
    torch.testing.assert_close(grown.maps(other), whole.maps(other))


def test_a_limit_of_places_is_that_of_as_many_images():
    scorer = PatchCore(coreset=0.5)
    scorer.fit(scorer.collect(maps_of(6, 0)))
    per_image = len(scorer.state()["0.bank"]) / 6
    scorer.grow(scorer.collect(maps_of(3, 1)), 4)
    assert len(scorer.state()["0.bank"]) == round(4 * per_image)
    with pytest.raises(UserError, match="inner scorer cannot take more inliers"):
        FeatureMap(of=GaussianDensity()).grow(scorer.collect(maps_of(3, 1)), None)


def test_other_scorers_have_neither():
    assert KDE.nearest is Scorer.nearest
    assert KDE.grow is Scorer.grow
    with pytest.raises(NotImplementedError):
        KDE().grow({}, None)
    with pytest.raises(NotImplementedError):
        KDE().nearest({}, 1)
