"""Fits scorers on a trained method, and scores images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from adframe.engine.features import MIN_BATCH, extract_features
from adframe.engine.metrics import auroc, pixel_floor
from adframe.engine.state import Run
from adframe.interfaces import (
    Features,
    Images,
    Method,
    Outcome,
    Pixels,
    Report,
    Scorer,
    Shift,
    ViewSpec,
    count_variants,
)

Counter = Callable[[int], None]  #: receives the number of image views of a forward pass


def evaluate(run: Run, fitted: bool = False) -> Report:
    """Fit every scorer on the training images, unless it is ``fitted``; score every test image."""
    method, seed = run.assembly.method, run.config.seed
    outcomes: dict[str, Outcome] = {}
    scorers, shifts = run.assembly.scorers, run.assembly.shifts
    seen = _progress(run, fitted)
    if not fitted:
        fit(scorers, method, shifts, run.data.train, seed, run.exposed, seen)
    of_test_sets = {
        name: score(scorers, method, shifts, images.pixels, seed, seen)
        for name, images in run.test_sets.items()
    }
    for index in range(len(scorers)):
        scores = {title: of_scorers[index] for title, of_scorers in of_test_sets.items()}
        name = run.config.scorer[index].entry.name
        name = name if name not in outcomes else f"{name}_{index}"
        outcomes[name] = Outcome(auroc(scores), scores)
    floor = pixel_floor(run.data.train, run.test_sets)
    return Report(outcomes, floor, run.seconds, run.epoch, run.out)


def _progress(run: Run, fitted: bool) -> Counter:
    """Function that counts scored views and calls the hook ``adframe_progress``."""
    images = [*run.test_sets.values(), *([] if fitted else [run.data.train])]
    total = 0
    for spec, alike in _by_view_spec(run.assembly.scorers).items():
        exposing = not fitted and any(run.assembly.scorers[index].needs_exposed for index in alike)
        known = [run.exposed] if exposing and run.exposed is not None else []
        variants = count_variants(run.assembly.shifts) if spec.apply_shifts else 1
        total += sum(map(len, [*images, *known])) * spec.views * variants
    done = 0

    def count(views: int) -> None:
        nonlocal done
        done = min(done + views, total)
        run.hook.adframe_progress(run=run, done=done, total=total)

    count(0)
    return count


def _counted(
    blocks: Iterator[Mapping[str, Tensor]], seen: Counter
) -> Iterator[Mapping[str, Tensor]]:
    for block in blocks:
        yield block
        seen(next(iter(block.values())).shape[:3].numel())


def fit(
    scorers: Sequence[Scorer],
    method: Method,
    shifts: Sequence[Shift],
    train: Images,
    seed: int,
    exposed: Images | None = None,
    seen: Counter = lambda views: None,
) -> None:
    """Fit scorers on features of the training images, and of known outliers if they need them.

    Scorers that request the same views share one forward pass.
    """
    for spec, alike in _by_view_spec(scorers).items():

        def features(images: Images, spec: ViewSpec = spec) -> Features:
            found = extract_features(method, shifts, images.pixels, spec, seed)
            blocks = list(_counted(found, seen))
            return {name: torch.cat([b[name] for b in blocks]) for name in blocks[0]}

        inliers = {**features(train), "label": train.label}
        for index in alike:
            scorers[index].fit(inliers)
        exposing = [scorers[index] for index in alike if scorers[index].needs_exposed]
        if exposing and exposed is not None:
            known = features(exposed)
            for scorer in exposing:
                scorer.expose(known)


def score(
    scorers: Sequence[Scorer],
    method: Method,
    shifts: Sequence[Shift],
    pixels: Pixels,
    seed: int,
    seen: Counter = lambda views: None,
) -> list[Tensor]:
    """Scores of each scorer, shape (N,), float32; higher is more anomalous.

    A score does not depend on which other images are scored: a batch of fewer than ``MIN_BATCH``
    images is filled up with copies, because CPU libraries round small batches in another way.

    Args:
        scorers: fitted scorers; those that request the same views share one forward pass.
        method: the trained method.
        shifts: the shifting transformations of the run.
        pixels: (N, 3, H, W) uint8.
        seed: the seed of the run.
        seen: called with the number of views after each forward pass.
    """
    filled = pixels
    if len(pixels) < MIN_BATCH:
        copies = pixels[-1:].expand(MIN_BATCH - len(pixels), *pixels.shape[1:])
        filled = torch.cat([pixels[:], copies])
    found: list[list[Tensor]] = [[] for _ in scorers]
    for spec, alike in _by_view_spec(scorers).items():
        for block in _counted(extract_features(method, shifts, filled, spec, seed), seen):
            for index in alike:
                found[index].append(scorers[index].score(block).float().cpu())
    return [torch.cat(blocks)[: len(pixels)] for blocks in found]


def _by_view_spec(scorers: Sequence[Scorer]) -> dict[ViewSpec, list[int]]:
    """Indices of the scorers that request the same views."""
    alike: dict[ViewSpec, list[int]] = {}
    for index, scorer in enumerate(scorers):
        alike.setdefault(scorer.view_spec(), []).append(index)
    return alike
