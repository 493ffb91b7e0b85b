import math

import pytest
import torch
from torch.nn import functional as F

from adframe.interfaces import Views
from adframe_firm.loss import FIRM


def rows(labels: list[int], shifts: int = 3) -> tuple[torch.Tensor, Views]:
    """Embeddings and views of images under shifts, then one exposed outlier, in two views."""
    images = len(labels)
    shift = torch.cat([torch.arange(shifts).repeat_interleave(images), torch.zeros(1).long()])
    source = torch.cat([torch.arange(images).repeat(shifts), torch.tensor([images])])
    label = torch.cat([torch.tensor(labels).repeat(shifts), torch.tensor([-1])])
    inlier = (shift == 0) & (source < images)
    views = Views(source, shift, label, inlier).repeat(2)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(len(views), 6, generator=generator, dtype=torch.float64), views


@pytest.mark.parametrize("temperature", [0.1, 0.7])
@pytest.mark.parametrize("labels", [[-1, -1, -1, -1], [0, 1, 0, 1]], ids=["one class", "labels"])
def test_it_is_the_sum_over_anchors_and_positives(labels, temperature) -> None:
    z, views = rows(labels)
    count = len(z) // 2
    first, second = F.normalize(z).chunk(2)
    total = 0.0
    for anchor in range(count):
        if views.inlier[anchor]:
            same = [
                other
                for other in range(count)
                if views.inlier[other] and views.label[other] == views.label[anchor]
            ]
        else:
            same = [anchor]
        closeness = [math.exp(float(first[anchor] @ other) / temperature) for other in second]
        total -= sum(math.log(closeness[p] / sum(closeness)) for p in same) / len(same)
    assert FIRM(temperature)(z, views).item() == pytest.approx(total / count, abs=1e-9)


def test_the_order_of_rows_means_nothing() -> None:
    z, views = rows([0, 1, 0])
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(FIRM()(z[order], views[order]), FIRM()(z, views))


def test_views_that_do_not_say_which_they_are_are_refused() -> None:
    z, views = rows([0, 1])
    views.view = None
    with pytest.raises(ValueError, match="firm needs the view number"):
        FIRM()(z, views)
