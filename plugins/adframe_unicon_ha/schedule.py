"""Hierarchical augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from adframe.interfaces import Augmentation, Count, Fraction, Schedule, Stage


class Hierarchical(Schedule):
    """One set of views per stage, with stronger augmentation for deeper stages (UniCon-HA).

    Wang et al., Eq. 8: view set i is augmented with T_i and passes through stages 1..i only.

    Args:
        augmentation: Augmentation of the views. Its strength depends on the stage.
        strengths: [guess: 0.25, 0.5, 0.75, 1] Strength of T_i for each stage of the backbone, or
            for each of ``stages``. The paper states only that it rises.
        stages: [published: all, or 2-3-4] Stages that are trained; all by default. Table 6 calls
            this choice HA.

    Raises:
        ValueError: ``stages`` is empty or does not rise.
    """

    def __init__(
        self,
        augmentation: Augmentation,
        strengths: Sequence[Fraction] | None = None,
        stages: Sequence[Count] | None = None,
    ) -> None:
        self.augmentation = augmentation
        self.strengths = strengths
        self._stages = stages
        if stages is not None and (sorted(set(stages)) != list(stages) or not stages):
            raise ValueError(f"stages must be one or more rising numbers, not {list(stages)}")

    def stages(self, levels: int, progress: float) -> list[Stage]:
        trained = self._stages or list(range(1, levels + 1))
        if trained[-1] > levels:
            raise ValueError(f"stage {trained[-1]} is missing: the backbone has {levels} stages")
        strengths = self.strengths
        if strengths is None:
            strengths = [level / levels for level in trained]
        elif len(strengths) == levels:
            strengths = [strengths[level - 1] for level in trained]
        elif len(strengths) != len(trained):
            raise ValueError(f"{len(strengths)} strengths for {len(trained)} stages")
        return [
            Stage(level, partial(self.augmentation, strength=strength))
            for level, strength in zip(trained, strengths, strict=True)
        ]

    def levels(self, levels: int) -> list[tuple[int, ...]]:
        return [tuple(stage.level for stage in self.stages(levels, 0.0))]
