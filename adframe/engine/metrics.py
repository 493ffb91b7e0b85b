"""AUROC of scores, and a baseline AUROC from raw pixels."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from math import isnan

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn.functional import normalize

from adframe.data.lazy import iter_chunks
from adframe.data.masks import LazySequence
from adframe.engine import returned
from adframe.engine.returned import expect
from adframe.interfaces import Images, Metric, Outcome, Scored
from adframe.ops.nearest import COLUMNS, topk_cosine
from adframe.registry.registry import name_of

logger = logging.getLogger("adframe")

MAX_FLOAT_BYTES = 256 << 20  # bytes of float images that the pixel floor compares at once
TEST_ROWS = 128  # test images at once: fewer, since each block of them is copied


def auroc(scores: dict[str, Tensor]) -> dict[str, float]:
    """AUROC of each outlier set against the inliers.

    Args:
        scores: set name -> (N,) scores; ``inliers`` and each outlier set.
    """
    inliers = scores["inliers"].numpy()
    return {
        name: _auroc(inliers, outliers.numpy())
        for name, outliers in scores.items()
        if name != "inliers"
    }


def _auroc(inliers: np.ndarray, outliers: np.ndarray) -> float:
    truth = np.repeat([0, 1], [len(inliers), len(outliers)])
    return float(roc_auc_score(truth, np.concatenate([inliers, outliers])))


def auroc_by_class(
    scores: dict[str, Tensor], test_sets: Mapping[str, Images]
) -> dict[str, dict[str, float]]:
    """AUROC of each class of outliers against the inliers, for sets with several classes.

    Args:
        scores: as for ``auroc``.
        test_sets: the images of each set; ``of`` is the class of each.
    """
    inliers, found = scores["inliers"].numpy(), dict[str, dict[str, float]]()
    for name, images in test_sets.items():
        classes = sorted(set(images.of))
        if name != "inliers" and len(classes) > 1:
            of, values = np.array(images.of), scores[name].numpy()
            found[name] = {each: _auroc(inliers, values[of == each]) for each in classes}
    return found


def has_figure(metric: Metric, normal: Scored, anomalous: Scored) -> bool:
    """Whether a metric can be computed: one that reads pixels needs maps."""
    return not metric.reads_pixels or (normal.maps is not None and anomalous.maps is not None)


def figure(metric: Metric, normal: Scored, anomalous: Scored) -> float:
    """Value of a metric; NaN, and a line in the log, where it is not defined.

    Raises:
        PluginFault: the metric returned something else than a number.
    """
    value = metric.value(normal, anomalous)
    expect(metric, returned.figure(value))
    if isnan(value):
        logger.warning("%s is not defined here: it gave NaN", name_of(metric))
    return float(value)


def joined(sets: Sequence[Scored]) -> Scored:
    """Several sets of anomalies as one; without maps unless all have maps."""
    scores = torch.cat([each.scores for each in sets])
    maps = [each.maps for each in sets if each.maps is not None]
    if len(maps) < len(sets):
        return Scored(scores)
    masks = [(each.masks, index) for each in sets for index in range(len(each.scores))]
    read = LazySequence(range(len(masks)), lambda row: masks[row][0][masks[row][1]])
    return Scored(scores, torch.cat(maps), read, sets[0].counted)


def pixel_floor(train: Images, test_sets: dict[str, Images]) -> dict[str, Outcome]:
    """Baseline scores: ``cosine`` and ``l2`` distance of raw pixels to the nearest training image.

    A trained network should be better than this. For the cosine, the mean is subtracted from each
    image, so that brightness does not dominate. Memory does not grow with the number of images.
    """

    def unit(rows: Tensor) -> Tensor:
        centred = rows - rows.mean(1, keepdim=True)
        return normalize(centred, out=centred)

    def floats(images: Images, rows: int) -> Iterator[Tensor]:
        fit = max(1, MAX_FLOAT_BYTES // (4 * images.pixels.shape[1:].numel()))
        return (block.flatten(1).float() for block in iter_chunks(images.pixels, min(rows, fit)))

    cosine = {name: torch.full((len(images),), torch.inf) for name, images in test_sets.items()}
    l2 = {name: torch.full((len(images),), torch.inf) for name, images in test_sets.items()}
    for bank in floats(train, COLUMNS):
        units = unit(bank)
        for name, images in test_sets.items():
            start = 0
            for block in floats(images, TEST_ROWS):
                rows = slice(start, start := start + len(block))
                for of, found in (
                    (cosine[name], 1 - topk_cosine(unit(block), units)[:, 0]),
                    (l2[name], torch.cdist(block, bank).amin(1)),
                ):
                    torch.minimum(of[rows], found, out=of[rows])
    floor = {"cosine": cosine, "l2": l2}
    return {measure: Outcome(auroc(of), of) for measure, of in floor.items()}
