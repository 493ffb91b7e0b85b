import math

import pytest
import torch
from torch.nn import functional as F

from adframe.interfaces import Views
from adframe_con2.losses import ContentAlignment, ContextContrast


def rows() -> tuple[torch.Tensor, Views]:
    """Embeddings and views of three images in two contexts, then one exposed outlier; two views."""
    shift = torch.tensor([0, 0, 0, 1, 1, 1, 0])
    source = torch.tensor([0, 1, 2, 0, 1, 2, 3])
    inlier = (shift == 0) & (source < 3)
    views = Views(source, shift, torch.full_like(shift, -1), inlier).repeat(2)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(len(views), 6, generator=generator, dtype=torch.float64), views


def expected(z: torch.Tensor, groups: list[int], temperature: float) -> float:
    """The mean over rows and positives of -log p, by loops."""
    z = F.normalize(z)
    total = 0.0
    for row, group in enumerate(groups):
        closeness = [math.exp(float(z[row] @ other) / temperature) for other in z]
        others = sum(closeness) - closeness[row]
        positives = [j for j, other in enumerate(groups) if other == group and j != row]
        total -= sum(math.log(closeness[j] / others) for j in positives) / len(positives)
    return total / len(groups)


@pytest.mark.parametrize("temperature", [0.2, 0.7])
def test_contexts_are_classes_and_exposed_outliers_are_left_out(temperature: float) -> None:
    z, views = rows()
    kept = [row for row in range(14) if int(views.source[row]) < 3]
    contexts = [int(views.shift[row]) for row in kept]
    found = ContextContrast(temperature)(z, views).item()
    assert found == pytest.approx(expected(z[kept], contexts, temperature), abs=1e-9)


@pytest.mark.parametrize("temperature", [0.2, 0.7])
def test_an_image_is_one_instance_in_all_contexts(temperature: float) -> None:
    z, views = rows()
    found = ContentAlignment(temperature)(z, views).item()
    assert found == pytest.approx(expected(z, views.source.tolist(), temperature), abs=1e-9)


def test_equal_images_in_two_tight_contexts_are_aligned_better_than_mixed_ones() -> None:
    images = torch.eye(4, dtype=torch.float64)[:3]
    contexts = torch.eye(4, dtype=torch.float64)[3] * torch.tensor([[1.0], [-1.0]])
    aligned = torch.cat([images + contexts[0], images + contexts[1]] * 2)
    source, shift = torch.arange(3).repeat(2), torch.tensor([0, 0, 0, 1, 1, 1])
    views = Views(source, shift, torch.full_like(shift, -1), shift == 0).repeat(2)
    mixed = aligned[torch.tensor([0, 1, 2, 4, 5, 3, 6, 7, 8, 10, 11, 9])]
    assert ContentAlignment()(aligned, views) < ContentAlignment()(mixed, views)
