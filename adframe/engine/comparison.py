"""What a comparison of runs holds, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """An AUROC with its interval, and the paired difference to the first run.

    Attributes:
        auroc: 0..1; its 95 % interval is ``low`` to ``high``.
        difference: to the first run, with the interval ``difference_low`` to ``difference_high``.
        p_value: of no difference, two-sided; not corrected for the number of comparisons.
        more_than_noise: whether the interval of the difference is on one side of 0.
    """

    auroc: float
    low: float
    high: float
    difference: float = 0.0
    difference_low: float = 0.0
    difference_high: float = 0.0
    p_value: float = 1.0
    more_than_noise: bool = False


@dataclass(frozen=True)
class ComparedRun:
    """A run in a comparison: its figure on each set of outliers, and the mean over these.

    Attributes:
        run: its folder.
        scorer: name of its main scorer, whose scores are compared.
    """

    run: str
    scorer: str
    seed: int | None
    sets: dict[str, Figure]
    mean: Figure


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of an AUROC over seeds."""

    mean: float
    sd: float


@dataclass(frozen=True)
class SeedGroup:
    """Runs that differ in the seed only.

    Attributes:
        sets: set of outliers -> AUROC over seeds; ``mean`` is that of the mean over sets.
        p_value: of no difference to the first group in ``mean`` (Welch's t-test over seeds); None
            for the first group, and where no seed differs from another.
    """

    runs: list[str]
    seeds: list[int]
    sets: dict[str, Spread]
    mean: Spread
    p_value: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Runs on the same test images.

    Attributes:
        runs: in the order given; differences are to the first.
        groups: of runs that differ in the seed only; those with two seeds or more.
        images: number of test images; ``inliers`` of them are inliers.
        samples: number of resamples.
    """

    runs: list[ComparedRun]
    groups: list[SeedGroup]
    images: int
    inliers: int
    samples: int
