import pytest
import torch

from adframe_backbones.filters import Filters


def test_edges_of_an_image_have_the_direction_and_place_of_a_step():
    images = torch.zeros(1, 3, 8, 8)
    images[..., 4:] = 1  # a vertical edge between columns 3 and 4
    (maps,) = Filters([0.0])(images)
    grey, along_width, along_height = maps[0]
    assert grey[:, :4].eq(0).all()
    assert grey[:, 4:].sub(1).abs().max() < 1e-3
    assert along_width.gt(0.9).nonzero()[:, 1].unique().tolist() == [3, 4]
    assert along_height.abs().max() == 0


def test_a_blur_spreads_an_edge_and_keeps_its_sum():
    images = torch.zeros(1, 3, 8, 40)
    images[..., 20:] = 1
    sharp, blurred = (Filters([blur])(images)[0][0, 1, 4] for blur in (0.0, 2.0))
    assert blurred.max() < sharp.max()
    torch.testing.assert_close(blurred.sum(), sharp.sum(), rtol=1e-3, atol=1e-3)


def test_it_says_how_many_maps_it_gives():
    net = Filters()
    assert [maps.shape[1] for maps in net(torch.rand(2, 3, 9, 7))] == net.widths


def test_without_a_scale_there_are_no_edges():
    with pytest.raises(ValueError, match="one scale"):
        Filters([])
