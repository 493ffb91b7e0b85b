"""Hierarchical augmentation: stronger views for deeper stages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from adframe.interfaces import Augmentation, Count, Fraction, Schedule, Stage


class Hierarchical(Schedule):
    """One set of views per stage, stronger the deeper (Wang et al., ICCV 2023, Eq. 8).

    View set i is augmented with T_i and goes through stages 1..i of the network and no further.

    Args:
        augmentation: What makes the views; its strength is set by stage.
        strengths: [guess: 0.25, 0.5, 0.75, 1] Strength of T_i for each stage of the backbone, or
            for each of ``stages``. The paper says only that it rises.
        stages: [published: all, or 2-3-4] Which stages are trained; all by default. Table 6
            calls the choice HA.
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
            raise ValueError(f"stages must be one or more, rising: not {list(stages)}")

    def stages(self, levels: int, progress: float) -> list[Stage]:
        trained = self._stages or list(range(1, levels + 1))
        if trained[-1] > levels:
            raise ValueError(f"stage {trained[-1]} of a backbone of {levels} stages")
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
