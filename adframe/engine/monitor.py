"""Monitors training: metrics, numbers that are not finite, and collapsed features."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from adframe.engine.features import extract_features
from adframe.interfaces import Method, Pixels, ViewSpec

INTERVAL = 50  # steps between two checks of the metrics; a check waits for the device
SAMPLE = 32  # images whose features are compared to find a collapse
COLLAPSED = 1e-6  # variance of unit features below which the representation has collapsed


class NonFiniteError(Exception):
    """Error for a loss or weight that is not finite; ``step`` is the step (from 1)."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(what)
        self.step = step


class MetricAccumulator:
    """Sums the metrics of an epoch without waiting for the device at every step.

    Args:
        sums: metric -> sum over the earlier steps of this epoch, if the run was resumed.
    """

    def __init__(self, sums: Mapping[str, float]) -> None:
        self.sums = dict(sums)
        self._pending: list[tuple[int, str, Tensor]] = []

    def add(self, step: int, metrics: Mapping[str, Tensor]) -> None:
        """Add the metrics of one update; each is a 0-d tensor."""
        self._pending += [(step, name, value.detach()) for name, value in metrics.items()]

    def flush(self) -> None:
        """Read the values from the device and add them to the sums.

        Raises:
            NonFiniteError: a value is not finite; names the first such step and its loss terms.
        """
        if not self._pending:
            return
        values = torch.stack([value.float() for _, _, value in self._pending]).tolist()
        broken: dict[int, list[str]] = {}
        for (step, name, _), value in zip(self._pending, values, strict=True):
            self.sums[name] = self.sums.get(name, 0.0) + value
            if not math.isfinite(value):
                broken.setdefault(step, []).append(name)
        self._pending.clear()
        for step, names in broken.items():
            raise NonFiniteError(step + 1, f"{_terms(names)} is not finite")

    def means(self, batches: int) -> dict[str, float]:
        """The mean of each metric over the batches of an epoch; the sums start again at 0."""
        self.flush()
        means = {name: total / batches for name, total in self.sums.items()}
        self.sums.clear()
        return means


def _terms(names: Sequence[str]) -> str:
    """Format metric names for a message: ``uniclr_4`` as ``loss term uniclr at stage 4``."""
    terms = [name for name in names if name != "loss"]
    if not terms:
        return "the loss"
    found = [re.fullmatch(r"(.+?)_(\d+)(_\d+)?", name) for name in terms]
    terms_text = [f"{m[1]} at stage {m[2]}" if m else n for m, n in zip(found, terms, strict=True)]
    return f"loss term {', '.join(terms_text)}"


def check_weights(method: Method, step: int) -> None:
    """Raise an error unless all weights are finite.

    Raises:
        NonFiniteError: a weight is not finite.
    """
    for name, weight in method.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise NonFiniteError(step, f"weight {name} is not finite")


def feature_variance(method: Method, pixels: Pixels) -> float:
    """Variance of L2-normalised features over a sample of images, 0..1; 0 if all are equal.

    Args:
        method: the method in training.
        pixels: (N, 3, H, W) uint8; the first 32 are used, without augmentation.
    """
    blocks = extract_features(method, [], pixels[:SAMPLE], ViewSpec(), seed=0)
    rows = torch.cat([block["features"] for block in blocks])  # large images come in several
    features = torch.nn.functional.normalize(rows.flatten(1).double())
    return float((features - features.mean(0)).square().sum(1).mean())


def check_finite(method: Method, pixels: Pixels, step: int) -> float:
    """Raise an error unless all weights, and the features of a sample of images, are finite.

    Returns:
        their ``feature_variance``.

    Raises:
        NonFiniteError: a weight or a feature is not finite.
    """
    check_weights(method, step)
    variance = feature_variance(method, pixels)
    if not math.isfinite(variance):
        raise NonFiniteError(step, "a feature of the training images is not finite")
    return variance


def collapse_note(variance: float, epoch: int) -> str | None:
    """Warning text if all images have the same features (collapse), else None."""
    if variance >= COLLAPSED:
        return None
    return (
        f"epoch {epoch}: the representation has collapsed: the features of training images vary "
        f"by {variance:.1e}; try a smaller learning rate, or another objective"
    )
