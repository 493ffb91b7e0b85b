"""Counts the image views of an evaluation, for the line that shows how far it is."""

from __future__ import annotations

from adframe.engine.collecting import Counter
from adframe.engine.scoring import by_view_spec
from adframe.engine.state import Run
from adframe.interfaces import count_variants


def count_views(run: Run, fitted: bool = False) -> int:
    """Number of image views that an evaluation passes through the network."""
    images = [*run.test_sets.values()]
    images += [held for held in (run.calibration, run.labelled) if held is not None]
    total = 0
    for spec, alike in by_view_spec(run.assembly.scorers).items():
        exposing = not fitted and any(run.assembly.scorers[index].needs_exposed for index in alike)
        known = [run.exposed] if exposing and run.exposed is not None else []
        if not fitted and any(run.assembly.scorers[index].needs_fit for index in alike):
            known.append(run.data.train)
        variants = count_variants(run.assembly.shifts) if spec.apply_shifts else 1
        total += sum(map(len, [*images, *known])) * spec.views * variants
    return total


def progress(run: Run, fitted: bool) -> Counter:
    """Function that counts scored views and calls the hook ``adframe_progress``."""
    total, done = count_views(run, fitted), 0

    def count(views: int) -> None:
        nonlocal done
        done = min(done + views * run.world.size, total)  # others do as much
        run.hook.adframe_progress(run=run, done=done, total=total)

    count(0)
    return count
