"""Fits scorers on features of the training images, and scores images with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import torch
from torch import Tensor

from adframe.engine import returned
from adframe.engine.collecting import Counter, collect, merge, noted, noting
from adframe.engine.features import MIN_BATCH, extract_features, passes, shares_batch
from adframe.engine.returned import expect, requested
from adframe.engine.rows import filled
from adframe.interfaces import (
    Features,
    Images,
    MapScorer,
    Method,
    Pixels,
    Scorer,
    Shift,
    ViewSpec,
)
from adframe.parallel.exchange import gathered
from adframe.parallel.world import ALONE, World

#: Receives the index of a scorer, the number of an image, and the maps of it and of the next ones.
MapSink = Callable[[int, int, Tensor], None]


def fit(
    scorers: Sequence[Scorer],
    method: Method,
    shifts: Sequence[Shift],
    train: Images,
    seed: int,
    exposed: Images | None = None,
    seen: Counter = lambda views: None,
    failures: dict[int, str] | None = None,
    world: World = ALONE,
) -> None:
    """Fit scorers on features of the training images, and of known outliers if they need them.

    Scorers that request the same views share one forward pass.

    Args:
        scorers: the scorers to fit.
        method: the trained method.
        shifts: the shifting transformations of the run.
        train: the training images.
        seed: the seed of the run.
        exposed: known outliers, if there are any.
        seen: called with the number of views after each forward pass.
        failures: gets the index of each scorer that fails, and why; by default the first error
            is raised.
        world: the processes, each of which extracts some of the features, and gets all.

    Raises:
        TrainingError: the features of a training image are not finite.
    """
    for spec, alike in by_view_spec(scorers).items():

        def features(
            images: Images, of: Sequence[int], spec: ViewSpec = spec
        ) -> dict[int, Features]:
            parts = method, shifts, images, spec, seed
            return collect(scorers, of, *parts, seen, failures, world)

        learning = [index for index in alike if scorers[index].needs_fit]
        exposing = [index for index in alike if scorers[index].needs_exposed]
        for index, inliers in features(train, learning).items() if learning else ():
            with noting(failures, index):
                scorers[index].fit(inliers)
        if exposing and exposed is not None:
            for index, known in features(exposed, exposing).items():
                with noting(failures, index):
                    scorers[index].expose(known)


def grow(
    scorer: Scorer,
    method: Method,
    shifts: Sequence[Shift],
    new: Images,
    seed: int,
    limit: int | None = None,
) -> Tensor:
    """Add inliers to what a fitted scorer compares with; see ``Scorer.grow``.

    Raises:
        TrainingError: the features of an image are not finite.
    """
    features = collect([scorer], [0], method, shifts, new, requested(scorer), seed)[0]
    kept = scorer.grow(features, limit)
    expect(scorer, "" if kept.dtype == torch.int64 and kept.ndim == 1 else "grow returns no rows")
    return kept


def score(
    scorers: Sequence[Scorer],
    method: Method,
    shifts: Sequence[Shift],
    pixels: Pixels,
    seed: int,
    seen: Counter = lambda views: None,
    failures: dict[int, str] | None = None,
    keep: MapSink | None = None,
    least: int = MIN_BATCH,
    world: World = ALONE,
) -> list[Tensor]:
    """Scores of each scorer, shape (N,), float32; higher is more anomalous.

    A score does not depend on which other images are scored: fewer than ``MIN_BATCH`` rows are
    filled up with copies, because CPU libraries round small batches in another way. Large images,
    and images of several windows, come without copies.

    Args:
        scorers: fitted scorers; those that request the same views share one forward pass.
        method: the trained method.
        shifts: the shifting transformations of the run.
        pixels: (N, 3, H, W) uint8.
        seed: the seed of the run.
        seen: called with the number of views after each forward pass.
        failures: as for ``fit``; the scores of scorers in it are NaN.
        keep: called with the index of a scorer that gives maps, the number of the first image of a
            few, and their maps, (n, H, W) float32.
        least: rows that a smaller batch is filled up to.
        world: the processes, each of which scores some of the images. All get the scores; the
            first gets the maps.
    """
    found = torch.full((len(scorers), len(pixels)), torch.nan)
    for spec, alike in by_view_spec(scorers).items():
        few = least if shares_batch(spec, pixels.shape[2:]) else 1
        every = passes(method, shifts, pixels, spec)
        shares = [every[share] for share in world.shares(len(every))]
        own = shares[world.rank]
        blocks = extract_features(method, shifts, pixels, spec, seed, least, own)
        for turn in range(max(map(len, shares))):
            maps: dict[str, Tensor] = {}
            with noting(failures if spec.compute else None, *alike):
                for block in islice(blocks, 1):
                    seen(next(iter(block.values())).shape[:3].numel())
                    features = {name: filled(values, few) for name, values in block.items()}
                    rows = own[turn]
                    for index in alike:
                        if index not in (failures or {}):
                            with noting(failures, index):
                                made, of_pixels = _checked(scorers[index], features)
                                found[index, rows] = made[: len(rows)]
                                if keep is not None and of_pixels is not None:
                                    maps[str(index)] = of_pixels[: len(rows)]
                    if failures is None:
                        for index in alike:
                            finite = bool(found[index, rows].isfinite().all())
                            text = "score returns values that are not finite"
                            expect(scorers[index], "" if finite else text)
            if keep is not None:
                _deliver(world, keep, maps, [share[turn : turn + 1] for share in shares])
        mine = torch.cat([torch.arange(0), *own])
        of_all, notes = gathered(world, {"": found[alike][:, mine].T}, noted(failures))
        found[alike] = of_all[""].T
        merge(failures, notes)
    return [scores.clone() for scores in found]


def _deliver(
    world: World, keep: MapSink, maps: Mapping[str, Tensor], rows: Sequence[Sequence[Tensor]]
) -> None:
    """Give the first process the maps of a pass of each process.

    Args:
        world: the processes.
        keep: what gets them.
        maps: those of this process, by index of the scorer.
        rows: for each process, the numbers of the images of its pass, if it has one.
    """
    whole, counts = gathered(world, maps, {index: len(of) for index, of in maps.items()})
    for index, of_all in whole.items() if world.main else ():
        parts = torch.split(of_all, [count.get(index, 0) for count in counts])
        for part, images in zip(parts, rows, strict=True):
            if len(part):
                keep(int(index), int(images[0][0]), part)


def _checked(scorer: Scorer, features: Features) -> tuple[Tensor, Tensor | None]:
    """Scores of a few images, and their maps if the scorer gives any."""
    maps, rows = None, len(next(iter(features.values())))
    if isinstance(scorer, MapScorer):
        maps = scorer.maps(features)
        expect(scorer, returned.maps(maps, features["size"]))
        maps = maps.detach().float().cpu()
        scores = scorer.reduce(maps)
    else:
        scores = scorer.score(features)
    expect(scorer, returned.scores(scores, rows))
    return scores.detach().float().cpu(), maps


def by_view_spec(scorers: Sequence[Scorer]) -> dict[ViewSpec, list[int]]:
    """Indices of the scorers that request the same views."""
    alike: dict[ViewSpec, list[int]] = {}
    for index, scorer in enumerate(scorers):
        alike.setdefault(requested(scorer), []).append(index)
    return alike
