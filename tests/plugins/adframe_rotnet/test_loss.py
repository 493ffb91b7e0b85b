import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import LossDims, Views
from adframe_rotnet.loss import ShiftHeads
from adframe_shifts.compose import Compose
from adframe_shifts.geometric import Rotation, Translation

SHIFT = Compose([Translation("x"), Translation("y"), Rotation()])
PARTS = [SHIFT.parts(variant) for variant in range(36)]


def made() -> ShiftHeads:
    torch.manual_seed(0)
    loss = ShiftHeads([3, 3, 4])
    loss.setup(LossDims(embedding=5, shifts=36, classes=1))
    return loss


def views(shift: Tensor, exposed: int = 0) -> Views:
    inlier = shift == 0
    if exposed:
        inlier[-exposed:] = False
    return Views(torch.arange(len(shift)), shift, torch.full_like(shift, -1), inlier)


def heads_of(loss: ShiftHeads, features: Tensor) -> list[Tensor]:
    logits = loss.classifier(features).detach()
    return [logits[:, 0:3], logits[:, 3:6], logits[:, 6:10]]


def test_it_is_the_mean_of_the_heads_cross_entropies_as_compose_counts() -> None:
    loss, features, shift = made(), torch.randn(72, 5), torch.arange(36).repeat(2)
    total = 0.0
    for head, logits in enumerate(heads_of(loss, features)):
        targets = torch.tensor([PARTS[variant][head] for variant in shift.tolist()])
        total = total + F.cross_entropy(logits, targets)
    torch.testing.assert_close(loss(features, views(shift)), total / 3)


def test_it_predicts_the_sum_of_the_probabilities_of_what_a_shift_is_to_each_head() -> None:
    loss, features = made(), torch.randn(4, 5)
    found = loss.predict(features)["head_probability"].detach()
    assert found.shape == (4, 36)
    for row in range(4):
        for variant, parts in enumerate(PARTS):
            expected = sum(
                float(logits[row].softmax(0)[value])
                for logits, value in zip(heads_of(loss, features), parts, strict=True)
            )
            assert float(found[row, variant]) == pytest.approx(expected, abs=1e-6)


def test_exposed_outliers_are_left_out_and_order_means_nothing() -> None:
    loss, features = made(), torch.randn(8, 5)
    shift = torch.tensor([0, 1, 2, 35, 7, 12, 0, 0])
    known = loss(features[:6], views(shift[:6]))
    torch.testing.assert_close(loss(features, views(shift, exposed=2)), known)
    order = torch.randperm(6)
    torch.testing.assert_close(loss(features[order], views(shift[order])), known)


def test_one_head_is_an_ordinary_classifier() -> None:
    loss = ShiftHeads([4])
    loss.setup(LossDims(5, 4, 1))
    features, shift = torch.randn(8, 5), torch.arange(4).repeat(2)
    expected = F.cross_entropy(loss.classifier(features), shift)
    torch.testing.assert_close(loss(features, views(shift)), expected)


def test_heads_that_do_not_make_the_shifts_of_the_run_are_refused() -> None:
    with pytest.raises(ValueError, match="heads: 3 x 4 combinations for 36 shifts"):
        ShiftHeads([3, 4]).setup(LossDims(5, 36, 1))
    with pytest.raises(ValueError, match="at least one"):
        ShiftHeads([])
