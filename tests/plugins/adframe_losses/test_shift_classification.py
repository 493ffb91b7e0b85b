import pytest
import torch
from torch.nn import functional as F

from adframe.interfaces import LossDims, Views
from adframe_losses.shift_classification import ShiftClassification


def made() -> ShiftClassification:
    torch.manual_seed(0)
    loss = ShiftClassification()
    loss.setup(LossDims(embedding=6, shifts=4, classes=1))
    return loss


def views(shift: list[int], inlier: list[bool]) -> Views:
    column = torch.tensor(shift)
    return Views(torch.arange(len(shift)), column, -torch.ones_like(column), torch.tensor(inlier))


def test_it_is_cross_entropy_over_the_shifts() -> None:
    loss, features, shift = made(), torch.randn(8, 6), [0, 1, 2, 3, 0, 1, 2, 3]
    value = loss(features, views(shift, [s == 0 for s in shift]))
    expected = F.cross_entropy(loss.predict(features)["shift_logits"], torch.tensor(shift))
    torch.testing.assert_close(value, expected)


def test_exposed_outliers_are_left_out() -> None:
    loss, features = made(), torch.randn(6, 6)
    with_exposed = loss(features, views([0, 1, 2, 3, 0, 0], [True, *[False] * 5]))
    torch.testing.assert_close(
        with_exposed, loss(features[:4], views([0, 1, 2, 3], [True, *[False] * 3]))
    )


def test_it_learns_to_tell_shifts_apart() -> None:
    loss, shift = made(), torch.arange(4).repeat(8)
    features = F.one_hot(shift, 6).float()
    optimizer = torch.optim.SGD(loss.parameters(), lr=1.0)
    for _ in range(30):
        optimizer.zero_grad()
        loss(features, views(shift.tolist(), (shift == 0).tolist())).backward()
        optimizer.step()
    assert torch.equal(loss.predict(features)["shift_logits"].argmax(1), shift)


def test_only_exposed_outliers_give_zero() -> None:
    assert made()(torch.randn(2, 6), views([0, 0], [False, False])) == 0


@pytest.mark.parametrize("bias", [True, False])
def test_a_deeper_head_has_hidden_layers_and_a_linear_one(bias: bool) -> None:
    torch.manual_seed(0)
    loss = ShiftClassification(hidden=[5, 3], bias=bias, linear=2)
    loss.setup(LossDims(embedding=6, shifts=4, classes=1))
    kinds = [type(layer).__name__ for layer in loss.classifier]
    assert kinds == [*["Linear", "BatchNorm1d", "ReLU"] * 2, "Linear", "Linear"]
    linear = [layer for layer in loss.classifier if hasattr(layer, "in_features")]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [
        (6, 5), (5, 3), (3, 2), (2, 4)
    ]  # fmt: skip
    assert [layer.bias is not None for layer in linear] == [bias, bias, True, True]
    assert loss.predict(torch.randn(3, 6))["shift_logits"].shape == (3, 4)
