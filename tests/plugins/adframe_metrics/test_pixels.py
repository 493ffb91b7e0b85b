"""Pixel metrics against explicit loops and scikit-learn."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.ndimage import label
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from adframe.interfaces import Scored
from adframe_metrics.pixels import AUPRO, PixelAUROC, PixelAveragePrecision, PixelBestF1

SHAPE = (12, 9)


def scored(seed: int, defects: bool, steps: int | None = None, count: int = 6) -> Scored:
    """Random maps, with ties if ``steps`` is given, and masks with two regions each."""
    generator = torch.Generator().manual_seed(seed)
    masks = torch.zeros(count, *SHAPE, dtype=torch.bool)
    if defects:
        for index in range(count):
            masks[index, index : index + 3, 1:4] = True
            masks[index, 11, 7 - index % 3 :] = True
    maps = torch.rand(count, *SHAPE, generator=generator) + 0.3 * masks
    if steps is not None:
        maps = (maps * steps).round() / steps
    return Scored(torch.rand(count, generator=generator), maps, list(masks))


def pairs(steps: int | None = None) -> tuple[Scored, Scored]:
    return scored(0, False, steps), scored(1, True, steps)


def truth_and_scores(normal: Scored, anomalous: Scored) -> tuple[np.ndarray, np.ndarray]:
    masks = torch.stack([*normal.masks, *anomalous.masks]).flatten()
    return masks.int().numpy(), torch.cat([normal.maps, anomalous.maps]).flatten().numpy()


@pytest.mark.parametrize("steps", [None, 4])
def test_pixel_auroc_and_average_precision_equal_scikit_learns(steps: int | None) -> None:
    normal, anomalous = pairs(steps)
    truth, scores = truth_and_scores(normal, anomalous)
    auroc = PixelAUROC().value(normal, anomalous)
    assert auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    precision = PixelAveragePrecision().value(normal, anomalous)
    assert precision == pytest.approx(average_precision_score(truth, scores), abs=1e-12)


@pytest.mark.parametrize("steps", [None, 4])
def test_best_f1_is_the_best_of_all_thresholds(steps: int | None) -> None:
    normal, anomalous = pairs(steps)
    precision, recall, _ = precision_recall_curve(*truth_and_scores(normal, anomalous))
    best = (2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()
    assert PixelBestF1().value(normal, anomalous) == pytest.approx(best, abs=1e-12)


def overlap_by_loops(normal: Scored, anomalous: Scored, limit: float) -> float:
    """The area by the definition: one threshold after another, one region after another."""
    maps, masks = [*normal.maps, *anomalous.maps], [*normal.masks, *anomalous.masks]
    images = list(zip(maps, masks, strict=True))
    thresholds = sorted({float(v) for values, _ in images for v in values.flatten()}, reverse=True)
    points = [(0.0, 0.0)]
    for threshold in thresholds:
        false = normal_pixels = 0
        overlaps = []
        for values, mask in images:
            above = (values >= threshold).numpy()
            false += int((above & ~mask.numpy()).sum())
            normal_pixels += int((~mask).sum())
            regions, count = label(mask.numpy(), structure=np.ones((3, 3)))
            overlaps += [above[regions == n].mean() for n in range(1, count + 1)]
        points.append((false / normal_pixels, float(np.mean(overlaps))))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 >= limit:
            break
        if x1 > limit:
            y1, x1 = y0 + (y1 - y0) * (limit - x0) / (x1 - x0), limit
        area += (x1 - x0) * (y0 + y1) / 2
    return area / limit


@pytest.mark.parametrize("steps", [None, 4])
@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_au_pro_equals_its_definition(steps: int | None, limit: float) -> None:
    normal, anomalous = pairs(steps)
    expected = overlap_by_loops(normal, anomalous, limit)
    assert AUPRO(limit).value(normal, anomalous) == pytest.approx(expected, abs=1e-9)


def test_analytic_cases() -> None:
    normal, anomalous = scored(0, False), scored(1, True)
    masks = torch.stack(list(anomalous.masks))
    nothing = Scored(normal.scores, torch.zeros_like(normal.maps), normal.masks)
    perfect = Scored(anomalous.scores, masks.float(), anomalous.masks)
    for metric in (PixelAUROC(), PixelAveragePrecision(), PixelBestF1(), AUPRO()):
        assert metric.value(nothing, perfect) == pytest.approx(1.0)
    flat = Scored(anomalous.scores, torch.zeros_like(anomalous.maps), anomalous.masks)
    assert PixelAUROC().value(nothing, flat) == pytest.approx(0.5)
    assert AUPRO(1.0).value(nothing, flat) == pytest.approx(0.5)
    assert AUPRO(0.3).value(nothing, flat) == pytest.approx(0.15)  # half of the limit


def test_a_large_region_counts_as_much_as_a_small_one() -> None:
    mask = torch.zeros(1, 10, 10, dtype=torch.bool)
    mask[0, :5, :8] = True
    mask[0, 9, 9] = True
    maps = torch.zeros(1, 10, 10)
    maps[0, :5, :8] = 1.0  # the large one is found, the small one is not
    normal = Scored(torch.zeros(1), torch.zeros(1, 10, 10), [torch.zeros(10, 10, dtype=torch.bool)])
    value = AUPRO().value(normal, Scored(torch.ones(1), maps, list(mask)))
    assert value == pytest.approx(0.5 + 0.5 * 0.3 / 2)


def test_images_without_a_mask_do_not_count() -> None:
    normal, anomalous = pairs()
    part = Scored(anomalous.scores[:3], anomalous.maps[:3], anomalous.masks[:3])
    unknown = Scored(anomalous.scores, anomalous.maps, [*anomalous.masks[:3], None, None, None])
    for metric in (PixelAUROC(), AUPRO()):
        assert metric.value(normal, unknown) == metric.value(normal, part)


def test_pixels_that_do_not_count_might_as_well_be_cut_off() -> None:
    """All but a box, which can be cut out of maps and masks."""
    pair = pairs()
    rows, columns = slice(1, 5), slice(2, 7)
    counted = torch.zeros_like(pair[0].masks[0])
    counted[rows, columns] = True
    part = [replace(each, counted=counted) for each in pair]
    cut = [
        Scored(each.scores, each.maps[:, rows, columns], [m[rows, columns] for m in each.masks])
        for each in pair
    ]
    for metric in (PixelAUROC(), PixelAveragePrecision(), PixelBestF1(), AUPRO()):
        assert metric.value(*part) == metric.value(*cut) != metric.value(*pair)


def test_without_anomalous_pixels_there_is_no_figure() -> None:
    normal = scored(0, False)
    for metric in (PixelAUROC(), PixelAveragePrecision(), PixelBestF1(), AUPRO()):
        assert math.isnan(metric.value(normal, scored(1, False)))
