import math

import pytest
import torch
from torch.nn import functional as F

from adframe.interfaces import Views
from adframe_droc.loss import DROCContrastive


def rows(images: int = 5, shifts: int = 3) -> tuple[torch.Tensor, Views]:
    source = torch.arange(images).repeat_interleave(shifts)
    shift = torch.arange(shifts).repeat(images)
    views = Views(source, shift, torch.full_like(source, -1), shift == 0).repeat(2)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(len(views), 8, generator=generator, dtype=torch.float64), views


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_first_views_find_their_second_among_second_views(temperature: float) -> None:
    z, views = rows()
    first, second = F.normalize(z).chunk(2)
    total = 0.0
    for anchor in range(15):
        closeness = [math.exp(first[anchor] @ other / temperature) for other in second]
        total -= math.log(closeness[anchor] / sum(closeness))
    value = DROCContrastive(temperature)(z, views).item()
    assert value == pytest.approx(total / 15, abs=1e-9)


def test_the_order_of_rows_means_nothing() -> None:
    z, views = rows()
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(1))
    loss = DROCContrastive()
    torch.testing.assert_close(loss(z[order], views[order]), loss(z, views))


def test_views_that_do_not_say_which_they_are_are_refused() -> None:
    z, views = rows()
    views.view = None
    with pytest.raises(ValueError, match="droc_contrastive needs the view number"):
        DROCContrastive()(z, views)
