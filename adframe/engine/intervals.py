"""Bootstrap intervals of the figures of a scorer, over the test images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from adframe.engine.bootstrap import LEVEL, Floats, Ranks, interval, iter_counts
from adframe.interfaces import Decision, Interval, Metric, Scored

SAMPLES, LEAST = 1000, 200  # resamples; fewer where there are many images
CELLS = 4_000_000  # images x resamples of a set that are drawn

Counts = Mapping[str, Floats]  # test set -> how often each image is in each resample, (N, B)
Draw = Callable[[Counts], Floats | None]  # a figure on resamples, shape (B,)


@dataclass
class Intervals:
    """Intervals of the figures of a scorer, each (low, high) at the level of 95 %.

    Attributes:
        sets: ``auroc`` or a metric -> set of outliers -> interval.
        pooled: ``auroc`` or a metric -> interval on all sets of the data set together.
        mean: of the mean AUROC over sets; None without sets.
        precision: set of outliers -> interval of the precision of the decision, if there is one.
    """

    sets: dict[str, dict[str, Interval]] = field(default_factory=dict)
    pooled: dict[str, Interval] = field(default_factory=dict)
    mean: Interval | None = None
    precision: dict[str, Interval] = field(default_factory=dict)


def intervals(
    sets: Mapping[str, Scored],
    own: Sequence[str],
    metrics: Mapping[str, Metric],
    figures: Callable[[str, str], float],
    decision: Decision | None = None,
    seed: int = 0,
) -> Intervals:
    """Intervals of AUROC, metrics and the precision of a decision.

    All figures share the resamples. A metric that gives no value on resamples has no interval.

    Args:
        sets: scores of each test set, ``inliers`` first.
        own: the sets of the data set, which are pooled if there are several.
        metrics: by name.
        figures: value of ``auroc`` or of a metric on a set; the pooled one for an empty set.
        decision: the decision, if there is one.
        seed: decides the resamples.
    """
    normal = sets["inliers"]
    sizes = {name: len(of.scores) for name, of in sets.items()}
    samples = max(LEAST, min(SAMPLES, CELLS // max(sizes.values())))
    parts = {name: [name] for name in sets if name != "inliers"}
    if len(own) > 1:
        parts[""] = list(own)
    draws: dict[tuple[str, str], Draw] = {}
    for part, names in parts.items():
        bad = Scored(_joined([sets[name] for name in names]))
        draws["auroc", part] = _auroc(normal, bad, names)
        for title, metric in metrics.items():
            draws[title, part] = _metric(metric, normal, bad, names)
        if decision is not None and part:
            draws["precision of the decision", part] = _precision(sets, names, decision)
    values: dict[tuple[str, str], list[Floats]] = {}
    for counts in iter_counts(sizes, samples, seed):
        for key, draw in draws.items():
            found = draw(counts)
            if found is not None:
                values.setdefault(key, []).append(found)
    made = Intervals()
    drawn = {key: np.concatenate(blocks) for key, blocks in values.items()}
    images = min(sizes.values())
    for (title, part), resamples in drawn.items():
        if title == "precision of the decision":
            made.precision[part] = quantiles(resamples)
            continue
        value = figures(title, part)
        fewest = min(sizes["inliers"], sum(sizes[name] for name in parts[part]))
        one = _interval(title, value, resamples, fewest)
        if part:
            made.sets.setdefault(title, {})[part] = one
        else:
            made.pooled[title] = one
    each = [drawn["auroc", part] for part in parts if part]
    if each:
        mean = float(np.mean([figures("auroc", part) for part in parts if part]))
        made.mean = interval(mean, np.mean(each, axis=0), images)
    return made


def quantiles(resamples: Floats) -> Interval:
    """The central part of the resamples that have a value; NaN where none has."""
    known = resamples[np.isfinite(resamples)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def share(part: int, whole: int) -> Interval:
    """Exact binomial interval of a share (Clopper and Pearson)."""
    from scipy.special import betaincinv

    tail = (1 - LEVEL) / 2
    low = float(betaincinv(part, whole - part + 1, tail)) if part else 0.0
    high = float(betaincinv(part + 1, whole - part, 1 - tail)) if part < whole else 1.0
    return low, high


def _interval(title: str, value: float, resamples: Floats, images: int) -> Interval:
    """Of an AUROC in the log-odds; of others by quantiles, or the rule of three at 0 and 1."""
    same = bool((resamples == value).all())
    if title == "auroc" or (same and value in (0.0, 1.0)):
        return interval(value, resamples, images)
    return quantiles(resamples)


def _joined(sets: Sequence[Scored]) -> Tensor:
    return torch.cat([each.scores for each in sets])


def _auroc(normal: Scored, bad: Scored, names: Sequence[str]) -> Draw:
    ranks = Ranks(normal.scores.double().numpy(), bad.scores.double().numpy())
    return lambda counts: ranks.auroc(counts["inliers"], _stacked(counts, names))


def _metric(metric: Metric, normal: Scored, bad: Scored, names: Sequence[str]) -> Draw:
    def draw(counts: Counts) -> Floats | None:
        found = metric.resampled(normal, bad, counts["inliers"], _stacked(counts, names))
        return None if found is None else np.asarray(found, dtype=np.float64)

    return draw


def _precision(sets: Mapping[str, Scored], names: Sequence[str], decision: Decision) -> Draw:
    called = {name: of.scores.numpy() >= decision.threshold for name, of in sets.items()}

    def draw(counts: Counts) -> Floats:
        false = counts["inliers"][called["inliers"]].sum(0)
        true = sum((counts[name][called[name]].sum(0) for name in names), np.zeros(len(false)))
        with np.errstate(invalid="ignore"):
            return np.asarray(true / (true + false))

    return draw


def _stacked(counts: Counts, names: Sequence[str]) -> Floats:
    return np.concatenate([counts[name] for name in names]) if len(names) > 1 else counts[names[0]]
