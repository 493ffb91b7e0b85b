"""Maps by windows and by feature maps, against explicit loops over places."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

import adframe
from adframe.engine.build import assemble
from adframe.engine.features import extract_features
from adframe.engine.scoring import fit, score
from adframe.errors import ConfigError, UserError
from adframe.interfaces import Images
from adframe.ops import spread_scores, to_float
from adframe_scorers.dense import Dense
from adframe_scorers.patchcore import PaDiM, PatchCore


def noise(count, seed, size=(20, 16)):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, *size), generator=generator, dtype=torch.uint8)


def images(pixels):
    nothing = torch.full((len(pixels),), -1)
    return Images(pixels, nothing, nothing > 0, [str(index) for index in range(len(pixels))])


@pytest.fixture(scope="module")
def method(toy_file):
    return assemble(adframe.load_config(toy_file)).method.eval()


def maps_of(scorer, method, train, test):
    fit([scorer], method, [], images(train), 0)
    kept = torch.empty(len(test), *test.shape[2:])

    def keep(index, start, maps):
        kept[start : start + len(maps)] = maps

    (scores,) = score([scorer], method, [], test, 0, keep=keep)
    return scores, kept


@torch.no_grad()
def windows_by_loops(method, pixels, patch, stride):
    """Unit features of each window: (N, rows, columns, D)."""
    height, width = pixels.shape[2:]
    tops = [*range(0, height - patch, stride), height - patch]
    lefts = [*range(0, width - patch, stride), width - patch]
    found = []
    for top in tops:
        for left in lefts:
            window = to_float(pixels[:, :, top : top + patch, left : left + patch])
            found.append(normalize(method.embed(window)["features"], dim=1))
    shape = (len(tops), len(lefts))
    return torch.stack(found, 1).unflatten(1, shape), tops, lefts


@torch.no_grad()
def test_a_dense_map_scores_each_window_and_spreads_it(method):
    train, test, patch, stride = noise(6, 0), noise(5, 1), 8, 5
    scores, maps = maps_of(Dense(patch, stride), method, train, test)
    bank, _, _ = windows_by_loops(method, train, patch, stride)
    found, tops, lefts = windows_by_loops(method, test, patch, stride)
    nearest = 1 - (found.flatten(0, 2) @ bank.flatten(0, 2).T).amax(1).view(found.shape[:3])
    rows, columns = ([start + patch / 2 for start in starts] for starts in (tops, lefts))
    expected = spread_scores(nearest, rows, columns, (20, 16), patch / 4)
    assert torch.allclose(maps, expected, atol=1e-5)
    assert torch.allclose(scores, expected.amax((1, 2)), atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dense(8, 5),
        lambda: Dense(8, 5, regions=2, coreset=0.5, share=0.5),
        lambda: PatchCore([1, 2], grid=4),
        lambda: PaDiM([1, 2], columns=4, grid=4),
    ],
)
def test_a_map_does_not_depend_on_other_images(method, make):
    train, test = noise(10, 0), noise(9, 1)
    scorer = make()
    scores, maps = maps_of(scorer, method, train, test)
    kept = []
    for rows in (slice(3, 4), slice(2, 9)):
        (alone,) = score([scorer], method, [], test[rows], 0, keep=lambda i, s, m: kept.append(m))
        assert torch.allclose(alone, scores[rows], atol=1e-6)
    assert torch.allclose(torch.cat(kept), torch.cat([maps[3:4], maps[2:9]]), atol=1e-6)


@pytest.mark.parametrize(("finest", "cells"), [(6, (6, 4)), (40, (32, 24))])
def test_the_grid_is_that_of_the_finest_stage_up_to_a_limit(finest, cells):
    high, wide = finest, finest * cells[1] // cells[0]
    features = {
        "size": torch.tensor([[8 * high, 8 * wide]]),
        "stage_2": torch.rand(1, 1, 1, 3, high, wide),
        "stage_3": torch.rand(1, 1, 1, 5, high // 2, wide // 2),
    }
    for scorer in (PatchCore(), PatchCore(grid=cells[0])):
        outputs, rows, columns = scorer.places(features)
        assert outputs["features"].shape == (1, 1, 1, 8, *cells)
        assert (len(rows), len(columns)) == cells


def test_a_strange_window_lights_up_where_it_is(method):
    train = noise(8, 0) // 8 + 100
    test = train[:2].clone()
    test[1, :, 12:20, 8:16] = noise(1, 5, (8, 8))
    _, maps = maps_of(Dense(8, 4), method, train, test)
    place = divmod(int(maps[1].argmax()), 16)
    assert 12 <= place[0] < 20
    assert 8 <= place[1] < 16


def test_the_inner_scorer_sees_only_windows_of_its_region(method):
    top, bottom = noise(1, 0), noise(1, 1)
    image = torch.cat([top[:, :, :8], bottom[:, :, :8]], dim=2)  # 16 x 16: two halves
    swapped = torch.cat([image[:, :, 8:], image[:, :, :8]], dim=2)
    train = torch.cat([image] * 4)
    for regions, alike in ((1, True), (2, False)):
        scorer = Dense(8, 8, regions=regions)
        _, maps = maps_of(scorer, method, train, torch.cat([image, swapped]))
        assert maps[0].amax() < 1e-5
        assert bool(maps[1].amax() < 1e-5) is alike


def test_a_share_keeps_other_places_of_each_image(method):
    scorer = Dense(8, 4, share=0.25)
    blocks = extract_features(method, [], noise(6, 0), scorer.view_spec(), 0)
    (block,) = blocks
    known = {"label": torch.full((6,), -1), "index": torch.arange(6)}
    kept = scorer.collect({**block, **known})
    count = block["features"][0, 0, 0, 0].numel()
    assert len(kept["features"]) == 6 * round(0.25 * count)
    places = kept["place"].view(6, -1)
    assert any(not torch.equal(places[0], places[index]) for index in range(1, 6))
    assert kept["index"].tolist() == sorted(kept["index"].tolist())


def test_padim_is_the_mahalanobis_distance_at_each_place(method):
    train, test = noise(12, 0), noise(3, 1)
    scorer = PaDiM([1, 2], columns=3, grid=4, sigma=0.1)
    _, maps = maps_of(scorer, method, train, test)
    blocks = extract_features(method, [], torch.cat([train, test]), scorer.view_spec(), 0)
    cells = torch.cat([scorer._joined(block) for block in blocks])[:, scorer.channels].double()
    for row in range(cells.shape[2]):
        bank = cells[:12, :, row, 1]
        spread_of = torch.cov(bank.T) + 0.01 * torch.eye(3)
        away = cells[12, :, row, 1] - bank.mean(0)
        expected = (away @ torch.linalg.inv(spread_of) @ away).sqrt()
        pixel = maps[0, int((row + 0.5) * 20 / cells.shape[2]), 6]
        assert pixel.item() == pytest.approx(expected.item(), rel=1e-3)


def test_windows_larger_than_the_images_are_one_line(method):
    with pytest.raises(UserError, match="windows of 32x32 pixels do not fit in images of 16x20"):
        maps_of(Dense(32, 4), method, noise(4, 0), noise(4, 1))


def test_only_scorers_of_images_can_be_inside(toy):
    with pytest.raises(ConfigError, match="name one that scores images"):
        assemble(toy("scorer={name: dense, of: patchcore}"))
    with pytest.raises(ConfigError, match="needs stage 7, but the network has 4"):
        assemble(toy("scorer={name: feature_map, stages: [7]}"))


def test_state_goes_to_another_instance(method):
    scorer, other = Dense(8, 5, regions=2), Dense(8, 5, regions=2)
    scores, _ = maps_of(scorer, method, noise(6, 0), noise(4, 1))
    other.restore(scorer.state())
    (again,) = score([other], method, [], noise(4, 1), 0)
    assert torch.equal(again, scores)


def test_shared_windows_are_means_of_the_map_over_their_pixels():
    maps = torch.rand(2, 1, 1, 3, 4, 6)  # cells of 4x4 pixels
    features = {"stage_2": maps, "size": torch.tensor([[16, 24]] * 2)}
    found, rows, columns = Dense(6, 5, shared=2).places(features)
    assert rows == [3, 8, 13]
    assert columns == [3, 8, 13, 18, 21]
    pixels = maps.repeat_interleave(4, -2).repeat_interleave(4, -1)
    for row, top in enumerate([0, 5, 10]):
        for column, left in enumerate([0, 5, 10, 15, 18]):
            window = pixels[..., top : top + 6, left : left + 6].mean((-2, -1))
            torch.testing.assert_close(found["features"][..., row, column], window)
