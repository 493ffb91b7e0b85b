"""A score that is the mean of two, and a metric of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from adframe import Add, hookimpl
from adframe.interfaces import Features, Fraction, Metric, Scored, Scorer, ViewSpec


class Both(Scorer):
    """Mean of two scores of the same views.

    Args:
        of: One scorer.
        other: The other.

    Raises:
        ValueError: they request different views.
    """

    def __init__(self, of: Scorer, other: Scorer) -> None:
        self.of, self.other = of, other
        if replace(of.view_spec(), outputs=()) != replace(other.view_spec(), outputs=()):
            raise ValueError("the scorers must request the same views")

    def view_spec(self) -> ViewSpec:
        outputs = (*self.of.view_spec().outputs, *self.other.view_spec().outputs)
        return replace(self.of.view_spec(), outputs=tuple(dict.fromkeys(outputs)))

    def fit(self, features: Features) -> None:
        for scorer in (self.of, self.other):
            scorer.fit(features)

    def score(self, features: Features) -> Tensor:
        return (self.of.score(features) + self.other.score(features)) / 2

    def state(self) -> dict[str, Any]:
        inner = {"of": self.of.state(), "other": self.other.state()}
        return {f"{of}_{name}": value for of, own in inner.items() for name, value in own.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        for of, scorer in (("of", self.of), ("other", self.other)):
            scorer.restore({name.removeprefix(f"{of}_"): value for name, value in state.items()
                            if name.startswith(f"{of}_")})  # fmt: skip


class Found(Metric):
    """Share of anomalies above a quantile of the inliers.

    Args:
        quantile: [guess: 0.9] The quantile.
    """

    def __init__(self, quantile: Fraction = 0.9) -> None:
        self.quantile = quantile

    def value(self, normal: Scored, anomalous: Scored) -> float:
        return float((anomalous.scores > normal.scores.quantile(self.quantile)).float().mean())


@hookimpl
def adframe_register(add: Add) -> None:
    add("scorer", "both", Both)
    add("metric", "found", Found)
