import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from adframe import UserError
from adframe.interfaces import Augmentation, RandomKeys
from adframe_idecode.scorers import Conformal, PairError, p_values
from adframe_scorers.nearest import NearestCosine
from adframe_scorers.softmax import LinearProbe
from adframe_ssd.scorers import FewShotMahalanobis


class Nothing(Augmentation):
    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        return images


def features(errors: list[float], held_out: list[int]) -> dict[str, Tensor]:
    """Two errors an image, their mean as given."""
    column = torch.tensor(errors)
    pair = torch.stack([column - 0.5, column + 0.5], 1)
    flag = torch.tensor(held_out, dtype=torch.float32)
    return {"pair_error": pair[:, None, None], "held_out": flag[:, None, None, None]}


def test_p_values_of_a_worked_example() -> None:
    # Calibration errors 1, 2, 2, 4. At least 2: three of four, and the image itself: 4 of 5.
    calibration = torch.tensor([1.0, 2.0, 2.0, 4.0], dtype=torch.float64)
    scores = torch.tensor([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 4.5], dtype=torch.float64)
    expected = [5 / 5, 5 / 5, 4 / 5, 4 / 5, 2 / 5, 2 / 5, 1 / 5]
    assert p_values(scores, calibration).tolist() == pytest.approx(expected)


def test_only_held_out_images_calibrate() -> None:
    scorer = Conformal(PairError())
    scorer.fit(features([9, 1, 9, 2, 2, 9, 4], held_out=[0, 1, 0, 1, 1, 0, 1]))
    found = scorer.score(features([0.5, 3.0, 4.5], held_out=[0, 0, 1]))
    assert found.tolist() == pytest.approx([0, 3 / 5, 4 / 5])
    assert found.dtype == torch.float32


def test_normal_images_have_p_values_that_are_uniform() -> None:
    generator = torch.Generator().manual_seed(0)
    errors = torch.randn(4000, generator=generator).tolist()
    scorer = Conformal(PairError())
    scorer.fit(features(errors[:1000], [1, 0] * 500))
    p = 1 - scorer.score(features(errors[1000:], [0] * 3000))
    for level in (0.05, 0.2, 0.5):
        assert float((p <= level).float().mean()) == pytest.approx(level, abs=0.05)


def test_the_order_is_that_of_the_inner_score_but_for_ties() -> None:
    scorer = Conformal(PairError())
    scorer.fit(features([0, 1, 2, 3, 4], [0, 1, 1, 1, 1]))
    inner, outer = [0.5, 1.5, 1.7, 3.5, 5.0, 6.0], []
    outer = scorer.score(features(inner, [0] * 6)).tolist()
    assert outer == sorted(outer)
    assert outer[1] == outer[2]
    assert outer[4] == outer[5]
    assert roc_auc_score([0, 0, 0, 0, 1, 1], outer) == 1.0


def test_the_inner_score_is_fitted_on_what_trained_alone_and_both_are_restored() -> None:
    generator = torch.Generator().manual_seed(0)
    flag = torch.tensor([0.0, 1, 0, 1, 0])[:, None, None, None]
    train = {"features": torch.randn(5, 1, 1, 4, generator=generator), "held_out": flag}
    test = {"features": torch.randn(9, 1, 1, 4, generator=generator), "held_out": flag[[0] * 9]}
    scorer, again = Conformal(NearestCosine()), Conformal(NearestCosine())
    scorer.fit(train)
    alone = NearestCosine()
    alone.fit({"features": train["features"][[0, 2, 4]]})
    calibration = alone.score({"features": train["features"][[1, 3]]}).double().sort().values
    torch.testing.assert_close(scorer.calibration, calibration)
    again.restore(scorer.state())
    assert torch.equal(again.score(test), scorer.score(test))


def test_it_needs_what_the_inner_score_needs() -> None:
    wrapped = [Conformal(of) for of in (PairError(), FewShotMahalanobis(), LinearProbe())]
    needs = [(scorer.needs_exposed, scorer.needs_classes) for scorer in wrapped]
    assert needs == [(False, False), (True, False), (False, True)]


def test_known_outliers_reach_the_inner_score_before_it_is_calibrated() -> None:
    generator = torch.Generator().manual_seed(0)
    flag = (torch.arange(20) % 2).float()[:, None, None, None]
    normal, other, test = (
        {"features": torch.randn(20, 1, 1, 4, generator=generator) + at, "held_out": flag}
        for at in (0, 3, 1)
    )
    scorer, alone = Conformal(FewShotMahalanobis()), FewShotMahalanobis()
    scorer.fit(normal)
    scorer.expose(other)
    alone.fit({"features": normal["features"][::2]})
    alone.expose(other)
    calibration = alone.score({"features": normal["features"][1::2]}).double().sort().values
    torch.testing.assert_close(scorer.calibration, calibration)
    again = Conformal(FewShotMahalanobis())
    again.restore(scorer.state())
    assert torch.equal(again.score(test), scorer.score(test))


def test_it_asks_for_what_the_inner_score_asks_and_who_was_held_out() -> None:
    assert Conformal(PairError()).view_spec().outputs == ("pair_error", "held_out")


@pytest.mark.parametrize(("flags", "say"), [([0, 0, 0], "none of 3"), ([1, 1, 1], "all of 3")])
def test_without_two_kinds_of_training_images_it_says_so(flags: list[int], say: str) -> None:
    with pytest.raises(UserError, match=say):
        Conformal(PairError()).fit(features([1, 2, 3], flags))


def test_a_score_of_augmented_images_is_refused() -> None:
    with pytest.raises(ValueError, match="uses no augmentation"):
        Conformal(NearestCosine(Nothing(), views=3))
