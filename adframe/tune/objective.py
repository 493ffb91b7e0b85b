"""What a search compares its trials by: a figure on validation images."""

from __future__ import annotations

from math import isfinite
from typing import Literal

import torch

from adframe.config.model import RunConfig
from adframe.engine.judge import scorer_names
from adframe.errors import UserError, did_you_mean
from adframe.interfaces import Metric, Scored

PREFIX = "validation_"
AUROC = "auroc"
Better = Literal["higher", "lower"]


def check_objective(config: RunConfig, metric: str) -> None:
    """Raise an error unless a config gives a figure of this name on validation images.

    Raises:
        UserError: the config has no validation images; the figure is one of the test images, which
            must not choose a config; or there is none of this name.
    """
    names = [AUROC, *(spec.entry.name for spec in config.metrics)]
    suffixes = ["", *(f"_{name}" for name in scorer_names(config)[1:])]
    known = [f"{PREFIX}{name}{suffix}" for suffix in suffixes for name in names]
    tested = {name.removeprefix(PREFIX) for name in known} | {f"mean_{AUROC}", "pooled", "test"}
    if metric.removeprefix("test_") in tested or metric.startswith("test"):
        raise UserError(
            f"--metric {metric}: is a figure of the test split, which must not choose a config; "
            f"write {PREFIX}{AUROC}, or another figure on validation images"
        )
    if metric not in known:
        hint = did_you_mean(metric, known) or f" (there is: {', '.join(known)})"
        raise UserError(f"--metric {metric}: no such figure{hint}")
    if config.validation is None:
        raise UserError(
            "the config has no validation images to compare trials on; write "
            "validation: {anomalies: SHIFT} (adframe list shift), or validation: {outliers: [...]}"
        )


def better(config: RunConfig, metric: str) -> Better:
    """Whether higher or lower values of a figure are better: tried with scores that separate.

    Raises:
        UserError: the metric has the same value however well scores separate.
    """
    of = metric.removeprefix(PREFIX)
    for spec in sorted(config.metrics, key=lambda spec: -len(spec.entry.name)):
        name = spec.entry.name
        if of == name or (of.startswith(f"{name}_") and not of.startswith(f"{AUROC}_")):
            right, wrong = _separated(spec.build())
            if not (isfinite(right) and isfinite(wrong)) or right == wrong:
                raise UserError(f"--metric {metric}: name what is better with --better")
            return "higher" if right > wrong else "lower"
    return "higher"


def _separated(metric: Metric) -> tuple[float, float]:
    """A metric where all anomalies score above all inliers, and where it is the other way round."""
    low, high = _scored(torch.arange(0.0, 8.0), False), _scored(torch.arange(8.0, 16.0), True)
    swapped = _scored(high.scores, False), _scored(low.scores, True)
    return float(metric.value(low, high)), float(metric.value(*swapped))


def _scored(scores: torch.Tensor, anomalous: bool) -> Scored:
    maps = scores[:, None, None].expand(-1, 4, 4).contiguous()
    masks = [torch.full((4, 4), anomalous)] * len(scores)
    return Scored(scores, maps, masks)
