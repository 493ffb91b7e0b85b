"""Decisions: p-values from the scores of held-out inliers, and a threshold.

The p-values are conformal. They need no assumption about the distribution of scores, only that the
images are exchangeable with the calibration images; see docs/how-to/decide.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from math import ceil, isfinite

import numpy as np
import torch
from torch import Tensor

from adframe.config import sections as config
from adframe.config.model import RunConfig
from adframe.engine.intervals import share
from adframe.errors import UserError
from adframe.interfaces import Decision, Interval
from adframe.random import seed_of

COLUMNS = ["p_value", "anomalous"]  # of CSV files, if there is a decision

logger = logging.getLogger("adframe")


def p_values(scores: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Conformal p-values, shape (N,), float64, in (0, 1]: small for anomalous images.

    The p-value of an image is (1 + the number of calibration images with a score at least as high)
    / (1 + the number of calibration images).

    Args:
        scores: (N,) float32.
        calibration: (n,) float32, sorted: scores of inliers that were not trained on.
    """
    lower = np.searchsorted(calibration, scores, side="left")
    return (1 + len(calibration) - lower) / (1 + len(calibration))


def threshold(calibration: np.ndarray, false_alarms: float) -> float:
    """The smallest score, as a float32, with a p-value of at most ``false_alarms``.

    It is infinite if no score has one, because there are too few calibration images.

    Args:
        calibration: (n,) float32, sorted.
        false_alarms: 0..1.
    """
    count = len(calibration)
    reached = [k for k in range(1, count + 1) if k / (count + 1) <= false_alarms]
    if not reached:
        return float("inf")
    bound = calibration[count - len(reached)]  # a score above it has so small a p-value
    return float(np.nextafter(bound, np.float32(np.inf)))


def learned_threshold(scores: np.ndarray, odd: np.ndarray, settings: config.Decision) -> float:
    """A threshold from labelled images: the highest that reaches the recall, or the best F1.

    Args:
        scores: (N,) float32.
        odd: (N,) bool, true for anomalies; at least one.
        settings: with ``recall`` or ``best_f1``.
    """
    if settings.recall is not None:
        found = np.sort(scores[odd])[::-1]
        least = max(1, ceil(settings.recall * len(found) - 1e-9))
        return float(found[least - 1])
    levels = np.unique(scores)[::-1]
    true = (scores[odd] >= levels[:, None]).sum(1)
    every = (scores >= levels[:, None]).sum(1)
    return float(levels[np.argmax(2 * true / (every + odd.sum()))])


def needed(false_alarms: float) -> int:
    """The smallest number of calibration images with which a p-value can be so small."""
    count = max(1, ceil(1 / false_alarms) - 2)
    while 1 / (count + 1) > false_alarms:
        count += 1
    return count


def held_out(
    count: int, share: float, seed: int, what: str = "calibration"
) -> tuple[Tensor, Tensor]:
    """Choose images to hold out among training images; by seed and count alone.

    Args:
        count: number of training images.
        share: share of them to hold out, 0..1; at least 1 is held out and 2 are kept.
        seed: the seed of the run.
        what: what they are for; each use has its own choice.

    Returns:
        Indices of the images to train on, and of those that are held out; each in order.

    Raises:
        UserError: there are fewer than 3.
    """
    if count < 3:
        raise UserError(f"{count} training images; to hold some out, at least 3 are needed")
    held = min(max(1, round(count * share)), count - 2)
    generator = torch.Generator().manual_seed(seed_of(seed, what))
    order = torch.randperm(count, generator=generator)
    return order[held:].sort().values, order[:held].sort().values


def warn_of_few(count: int, false_alarms: float) -> None:
    """Warn if no image can be called anomalous, because there are too few calibration images."""
    if count < (least := needed(false_alarms)):
        logger.warning(
            "%d calibration images: no p-value can be as small as %g, so no image is called "
            "anomalous; at least %d are needed",
            count,
            false_alarms,
            least,
        )


def calibration_of(config: RunConfig, scores: Sequence[Tensor | None]) -> np.ndarray:
    """Sorted scores of the calibration images by the first scorer.

    Args:
        config: the config of the run.
        scores: those of each scorer, if it has any; empty if the scorers were fitted again.

    Raises:
        UserError: there are none.
    """
    if config.decision is None:
        raise UserError("the run has no decision; train with decision: {false_alarms: 0.01}")
    name = config.scorer[0].entry.name
    first = scores[0] if scores else None
    if first is None:
        raise UserError(
            f"{name} has no calibration: it was fitted again, or failed in the run; "
            "train a run with these images for p-values"
        )
    return first.numpy()


def columns(scores: np.ndarray, values: np.ndarray, bound: float) -> tuple[list[float], list[int]]:
    """P-values, and 1 for each image that is called anomalous: the columns ``COLUMNS``."""
    return values.tolist(), (scores >= bound).astype(int).tolist()


def decide(
    scores: Mapping[str, Tensor],
    calibration: Tensor,
    settings: config.Decision,
    labelled: tuple[Tensor, Tensor] | None = None,
) -> Decision:
    """Decisions on test images.

    Args:
        scores: test set -> (N,) scores of its images.
        calibration: (n,) scores of the calibration images, in any order.
        settings: what gives the threshold.
        labelled: scores of the validation images, and which of them are anomalous; for a threshold
            by recall or best F1.
    """
    known = calibration.sort().values
    values = {title: p_values(of.numpy(), known.numpy()) for title, of in scores.items()}
    bound = threshold(known.numpy(), settings.false_alarms)
    if labelled is not None:
        bound = learned_threshold(labelled[0].numpy(), labelled[1].numpy(), settings)
    counts = {title: int((of.numpy() >= bound).sum()) for title, of in scores.items()}
    called = {title: counts[title] / len(of) for title, of in scores.items()}
    made = Decision(settings.false_alarms, bound, known, values, called, settings.rule)
    made.validation_images = 0 if labelled is None else len(labelled[0])
    normal, *sets = counts
    for title in sets:
        both = counts[normal] + counts[title]
        made.precision[title] = counts[title] / both if both else float("nan")
    made.intervals["called"] = {
        title: share(count, len(scores[title])) for title, count in counts.items()
    }
    return made


def check_calibration(scores: Tensor) -> None:
    """Check the scores of calibration images that were read from a file.

    Raises:
        ValueError: they are not (n,) float32, finite and sorted, n at least 1.
    """
    if scores.dtype != torch.float32 or scores.ndim != 1 or not len(scores):
        raise ValueError("is not a list of float32")
    if not bool(scores.isfinite().all()):
        raise ValueError("is not finite")
    if bool((scores[1:] < scores[:-1]).any()):
        raise ValueError("is not sorted")


def decision_json(decision: Decision) -> dict[str, object]:
    """The content of ``decision`` in ``result.json``."""
    bound, (normal, *sets) = decision.threshold, decision.called.items()
    intervals = {name: finite_intervals(of) for name, of in decision.intervals.items()}
    called = intervals.get("called", {})
    precise = {name: of if isfinite(of) else None for name, of in decision.precision.items()}
    return {
        "rule": decision.rule,
        **({"false_alarms": decision.false_alarms} if decision.rule == "false_alarms" else {}),
        **({"validation_images": decision.validation_images} if decision.validation_images else {}),
        "calibration_images": len(decision.calibration),
        "threshold": bound if isfinite(bound) else None,
        "realised_false_alarms": normal[1],
        "found": dict(sets),
        "precision": precise,
        "intervals": {
            "realised_false_alarms": called.pop(normal[0], None),
            "found": called,
            "precision": intervals.get("precision", {}),
        },
    }


def finite_intervals(of: Mapping[str, Interval]) -> dict[str, list[float] | None]:
    """Intervals for JSON, which has no NaN and no tuples."""
    return {name: list(one) if all(map(isfinite, one)) else None for name, one in of.items()}
