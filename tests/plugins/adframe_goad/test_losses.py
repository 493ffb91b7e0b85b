import pytest
import torch
from torch import Tensor

from adframe.interfaces import Views
from adframe_goad.losses import SquaredFeatures, TripletCentre


def views(shift: list[int], exposed: int = 0) -> Views:
    column = torch.tensor(shift)
    inlier = column == 0
    if exposed:
        inlier[-exposed:] = False
    return Views(torch.arange(len(shift)), column, torch.full_like(column, -1), inlier)


def features(count: int) -> Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(0))


def by_loops(z: Tensor, shift: list[int], margin: float) -> float:
    centres = {}
    for t in sorted(set(shift)):
        rows = [row for row, other in zip(z.tolist(), shift, strict=True) if other == t]
        centres[t] = [sum(column) / len(rows) for column in zip(*rows, strict=True)]

    def squared(a: list[float], b: list[float]) -> float:
        return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))

    total = 0.0
    for row, t in zip(z.tolist(), shift, strict=True):
        others = min(squared(row, centre) for other, centre in centres.items() if other != t)
        total += max(0.0, squared(row, centres[t]) + margin - others)
    return total / len(shift)


@pytest.mark.parametrize("margin", [0.1, 3.0])
@pytest.mark.parametrize("shift", [[0, 1, 2, 3] * 4, [0, 0, 7, 7, 7, 2], [1, 0]])
def test_equals_explicit_loops(shift: list[int], margin: float) -> None:
    z = features(len(shift))
    found = TripletCentre(margin)(z, views(shift))
    assert float(found) == pytest.approx(by_loops(z, shift, margin), rel=1e-4)


def test_order_of_rows_means_nothing_and_exposed_outliers_are_left_out() -> None:
    shift, z, loss = [0, 1, 2, 0, 1, 2, 0, 0], features(8), TripletCentre()
    known = loss(z[:6], views(shift[:6]))
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(loss(z[order], views([shift[row] for row in order])), known)
    torch.testing.assert_close(loss(z, views(shift, exposed=2)), known)


def test_its_gradient_is_that_of_the_formula_centres_included() -> None:
    z = features(6).double().requires_grad_()
    loss, shift = TripletCentre(margin=50.0), [0, 1, 2, 0, 1, 2]
    (gradient,) = torch.autograd.grad(loss(z, views(shift)), z)
    for row, column in [(0, 0), (3, 4), (5, 2)]:
        step = torch.zeros_like(z)
        step[row, column] = 1e-2
        above = by_loops((z + step).detach(), shift, 50.0)
        below = by_loops((z - step).detach(), shift, 50.0)
        assert float(gradient[row, column]) == pytest.approx((above - below) / 2e-2, abs=1e-3)


def test_a_batch_of_one_shift_or_none_gives_zero_and_a_gradient() -> None:
    for shift, exposed in [([2, 2, 2], 0), ([0, 0], 2)]:
        z = features(len(shift)).requires_grad_()
        loss = TripletCentre()(z, views(shift, exposed))
        loss.backward()
        assert float(loss.detach()) == 0
        assert z.grad is not None
        assert z.grad.isfinite().all()


def test_squared_features_are_the_mean_over_rows_and_columns() -> None:
    z = features(4)
    expected = sum(value**2 for row in z.tolist() for value in row) / 20
    assert float(SquaredFeatures()(z, views([0, 1, 2, 3]))) == pytest.approx(expected, rel=1e-5)
