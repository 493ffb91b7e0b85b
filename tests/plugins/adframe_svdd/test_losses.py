"""The objectives against loops over images, as the papers write them."""

import pytest
import torch

from adframe_svdd.losses import deep_sad, keep_from_zero, one_class, radius_of, soft_boundary

DISTANCE = torch.tensor([0.5, 2.0, 9.0, 1.0, 4.0, 0.04])


def test_one_class_is_the_mean_distance() -> None:
    assert one_class(DISTANCE).item() == pytest.approx(sum(DISTANCE.tolist()) / 6)


@pytest.mark.parametrize("nu", [0.1, 0.5])
def test_soft_boundary_is_the_radius_and_the_excess(nu: float) -> None:
    radius = 1.2
    excess = 0.0
    for distance in DISTANCE.tolist():
        excess += max(0.0, distance - radius**2)
    expected = radius**2 + excess / (nu * 6)
    found = soft_boundary(DISTANCE, torch.tensor(radius), nu)
    assert found.item() == pytest.approx(expected)


def test_known_outliers_count_by_the_inverse_of_their_distance() -> None:
    anomalous = [False, True, False, True, True, False]
    total = 0.0
    for distance, known in zip(DISTANCE.tolist(), anomalous, strict=True):
        total += 3 * (distance + 1e-6) ** -1 if known else distance
    found = deep_sad(DISTANCE, torch.tensor(anomalous), 3.0)
    assert found.item() == pytest.approx(total / 6)
    none = torch.zeros(6, dtype=torch.bool)
    assert torch.equal(deep_sad(DISTANCE, none, 3.0), one_class(DISTANCE))


def test_an_outlier_at_the_centre_has_a_finite_gradient() -> None:
    distance = torch.zeros(2, requires_grad=True)
    deep_sad(distance, torch.tensor([True, False]), 1.0).backward()
    assert distance.grad is not None
    assert distance.grad.isfinite().all()


def test_no_coordinate_of_the_centre_is_close_to_zero() -> None:
    centre = torch.tensor([0.0, 0.05, -0.05, 0.3, -0.3])
    expected = torch.tensor([0.1, 0.1, -0.1, 0.3, -0.3])
    assert torch.equal(keep_from_zero(centre, 0.1), expected)


def test_the_radius_is_a_quantile_of_the_distances() -> None:
    ordered = sorted(value**0.5 for value in DISTANCE.tolist())
    for nu in (0.1, 0.25):
        place = (1 - nu) * 5
        low = int(place)
        expected = ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])
        assert radius_of(DISTANCE, nu).item() == pytest.approx(expected, rel=1e-6)
