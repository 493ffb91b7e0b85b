import math

import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss, SupConLoss
from torch import Tensor

from adframe.interfaces import Loss, Views
from adframe_losses.contrastive import NTXent, SupCon


def rows(images: int = 6, shifts: int = 3, labels: int = 0) -> tuple[Tensor, Views]:
    """Two views of each image under each shift; with labels, image i is of class i % labels."""
    source = torch.arange(images).repeat_interleave(shifts).repeat(2)
    shift = torch.arange(shifts).repeat(images).repeat(2)
    label = source % labels if labels else torch.full_like(source, -1)
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(len(source), 8, generator=generator, dtype=torch.float64)
    return embeddings, Views(source, shift, label, inlier=shift == 0)


def loops(z: Tensor, same: list[list[bool]], temperature: float) -> float:
    z = z / z.norm(dim=1, keepdim=True)
    total = 0.0
    for i in range(len(z)):
        others = [k for k in range(len(z)) if k != i]
        below = sum(math.exp(z[i] @ z[k] / temperature) for k in others)
        positives = [k for k in others if same[i][k]]
        logs = [math.log(math.exp(z[i] @ z[k] / temperature) / below) for k in positives]
        total -= sum(logs) / len(logs)
    return total / len(z)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_nt_xent_is_the_loss_over_instances(temperature: float) -> None:
    z, views = rows()
    value = NTXent(temperature)(z, views).item()
    instance = list(zip(views.source.tolist(), views.shift.tolist(), strict=True))
    same = [[a == b for b in instance] for a in instance]
    assert value == pytest.approx(loops(z, same, temperature), abs=1e-9)
    labels = views.source * 3 + views.shift
    assert value == pytest.approx(NTXentLoss(temperature)(z, labels).item(), abs=1e-6)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_supcon_is_the_loss_over_classes_under_shifts(temperature: float) -> None:
    z, views = rows(labels=2)
    value = SupCon(temperature)(z, views).item()
    label = list(zip(views.label.tolist(), views.shift.tolist(), strict=True))
    same = [[a == b for b in label] for a in label]
    assert value == pytest.approx(loops(z, same, temperature), abs=1e-9)
    labels = views.label + 2 * views.shift
    assert value == pytest.approx(SupConLoss(temperature)(z, labels).item(), abs=1e-6)


def test_supcon_of_what_has_no_label_is_nt_xent() -> None:
    z, views = rows()
    assert SupCon(0.5)(z, views) == NTXent(0.5)(z, views)


@pytest.mark.parametrize("loss", [NTXent(), SupCon()])
def test_the_order_of_rows_means_nothing(loss: Loss) -> None:
    z, views = rows(labels=3)
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(loss(z[order], views[order]), loss(z, views))


@pytest.mark.parametrize("loss", [NTXent(), SupCon()])
def test_a_row_without_a_positive_adds_nothing_and_gradients_are_finite(loss: Loss) -> None:
    z, views = rows(images=2, shifts=1)
    z = z[:2].requires_grad_()
    value = loss(z, views[torch.tensor([0, 1])])
    value.backward()
    assert value == 0
    assert z.grad.isfinite().all()
