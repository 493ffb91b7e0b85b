"""Several schedules in sequence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from adframe.interfaces import Fraction, Schedule, Stage


class Phases(Schedule):
    """Several schedules in sequence. Each gets its own progress from 0 to 1.

    Args:
        of: The schedules, in order.
        until: End of each schedule but the last, as a share of the run. The values must rise.

    Raises:
        ValueError: ``until`` does not rise, or its length does not fit ``of``.
    """

    def __init__(self, of: Sequence[Schedule], until: Sequence[Fraction]) -> None:
        if len(of) != len(until) + 1:
            raise ValueError(
                f"{len(of)} phases need {len(of) - 1} value(s) in until, not {len(until)}"
            )
        self.of = of
        self.bounds = [0.0, *until, 1.0]
        if any(start >= end for start, end in pairwise(self.bounds)):
            raise ValueError(f"until must rise, with values between 0 and 1, not {list(until)}")

    def stages(self, levels: int, progress: float) -> list[Stage]:
        index = sum(progress >= bound for bound in self.bounds[1:-1])
        start, end = self.bounds[index : index + 2]
        return self.of[index].stages(levels, (progress - start) / (end - start))

    def levels(self, levels: int) -> list[tuple[int, ...]]:
        return list(dict.fromkeys(plan for part in self.of for plan in part.levels(levels)))
