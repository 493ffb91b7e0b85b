"""Scorers with a bank find the nearest training images, and take new ones without a fit."""

import pytest
import torch

from adframe.interfaces import Scorer
from adframe_scorers.coreset import coreset
from adframe_scorers.density import KDE
from adframe_scorers.nearest import KNN, NearestCosine
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


def test_other_scorers_have_neither():
    assert KDE.nearest is Scorer.nearest
    assert KDE.grow is Scorer.grow
    with pytest.raises(NotImplementedError):
        KDE().grow({}, None)
    with pytest.raises(NotImplementedError):
        KDE().nearest({}, 1)
