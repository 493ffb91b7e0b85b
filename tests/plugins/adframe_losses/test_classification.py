import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.interfaces import LossDims, Views
from adframe_losses.classification import Classification, JointClassification

LABEL = torch.tensor([0, 1, 2, 0, 1, 2, -1])
SHIFT = torch.tensor([0, 0, 0, 1, 1, 1, 0])


def made(kind: type[Classification], frozen: bool = False) -> Classification:
    torch.manual_seed(0)
    loss = kind(frozen)
    loss.setup(LossDims(embedding=6, shifts=2, classes=3))
    return loss


def features() -> tuple[Tensor, Views]:
    torch.manual_seed(1)
    return torch.randn(7, 6), Views(torch.arange(7), SHIFT, LABEL, SHIFT == 0)


@pytest.mark.parametrize(
    ("kind", "name", "target"),
    [
        (Classification, "class_logits", [0, 1, 2, 0, 1, 2]),
        (JointClassification, "joint_logits", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_it_is_cross_entropy_over_what_is_labelled(kind, name, target) -> None:
    loss, (rows, views) = made(kind), features()
    logits = loss.predict(rows)[name]
    torch.testing.assert_close(loss(rows, views), F.cross_entropy(logits[:6], torch.tensor(target)))
    assert loss.outputs == (name,)


def test_a_frozen_network_gets_no_gradient_and_its_classifier_does() -> None:
    for frozen in (False, True):
        loss, (rows, views) = made(Classification, frozen), features()
        network = torch.ones(6, requires_grad=True)
        loss(rows * network, views).backward()
        assert (network.grad is None) == frozen
        assert loss.classifier.weight.grad.any()


def test_nothing_labelled_gives_zero() -> None:
    loss, (rows, views) = made(Classification), features()
    assert loss(rows[6:], views[torch.tensor([6])]) == 0
