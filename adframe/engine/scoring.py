"""Fits scorers on features of the training images, and scores images with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from adframe.engine import returned
from adframe.engine.features import MIN_BATCH, extract_features, shares_batch
from adframe.engine.returned import expect, requested
from adframe.engine.rows import filled
from adframe.errors import PluginFault, TrainingError, UserError
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
from adframe.registry.blame import blame, out_of_memory, show_traceback

Counter = Callable[[int], None]  #: receives the number of image views of a forward pass
#: Receives the index of a scorer, the number of an image, and the maps of it and of the next ones.
MapSink = Callable[[int, int, Tensor], None]


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
    failures: dict[int, str] | None = None,
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

    Raises:
        TrainingError: the features of a training image are not finite.
    """
    for spec, alike in by_view_spec(scorers).items():

        def features(
            images: Images, of: Sequence[int], spec: ViewSpec = spec
        ) -> dict[int, Features]:
            found = extract_features(method, shifts, images.pixels, spec, seed)
            return _collect(scorers, of, _counted(found, seen), images, failures)

        learning = [index for index in alike if scorers[index].needs_fit]
        exposing = [index for index in alike if scorers[index].needs_exposed]
        with noting(failures if spec.compute else None, *alike):
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
    found = extract_features(method, shifts, new.pixels, requested(scorer), seed)
    features = _collect([scorer], [0], found, new, None)[0]
    kept = scorer.grow(features, limit)
    expect(scorer, "" if kept.dtype == torch.int64 and kept.ndim == 1 else "grow returns no rows")
    return kept


def _collect(
    scorers: Sequence[Scorer],
    chosen: Sequence[int],
    blocks: Iterator[Mapping[str, Tensor]],
    images: Images,
    failures: dict[int, str] | None,
) -> dict[int, Features]:
    """What the chosen scorers keep of the features of images; by index of the scorer.

    Scorers that keep all of them share one copy.

    Raises:
        TrainingError: features are not finite.
    """
    own = [index for index in chosen if type(scorers[index]).collect is not Scorer.collect]
    shared = len(own) < len(chosen)
    kept: dict[int, list[Features]] = {index: [] for index in (*own, *([-1] if shared else []))}
    done, bad = 0, list[int]()
    for block in blocks:
        rows = len(next(iter(block.values())))
        index = torch.arange(done, done + rows)
        for values in block.values():
            wrong = (~values.isfinite()).flatten(1).any(1).nonzero().flatten()
            bad += (wrong + done).tolist()
        features = {**block, "label": images.label[index], "index": index}
        for number in own:
            with noting(failures, number):
                kept[number].append(scorers[number].collect(features))
        if shared:
            kept[-1].append(features)
        done += rows
    if bad:
        raise TrainingError(
            f"the features of {len(set(bad))} of {len(images)} training images are not finite, "
            f"such as {images.names[min(bad)]}: the network has diverged; "
            "try a smaller learning rate or train.clip: 1.0"
        )
    whole = {number: _concatenated(parts) for number, parts in kept.items() if parts}
    found = {index: whole.get(index if index in own else -1) for index in chosen}
    return {index: features for index, features in found.items() if features is not None}


def _concatenated(blocks: list[Features]) -> Features:
    names = list(blocks[0])
    return {name: torch.cat([block[name] for block in blocks]) for name in names}


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
    """
    found: list[list[Tensor]] = [[] for _ in scorers]
    for spec, alike in by_view_spec(scorers).items():
        done, few = 0, least if shares_batch(spec, pixels.shape[2:]) else 1
        with noting(failures if spec.compute else None, *alike):
            blocks = extract_features(method, shifts, pixels, spec, seed, least)
            for block in _counted(blocks, seen):
                rows = len(next(iter(block.values())))
                features = {name: filled(values, few) for name, values in block.items()}
                for index in alike:
                    made = torch.full((rows,), torch.nan)
                    if failures is None or index not in failures:
                        with noting(failures, index):
                            made, maps = _checked(scorers[index], features, max(rows, few))
                            made = made[:rows]
                            if keep is not None and maps is not None:
                                keep(index, done, maps[:rows])
                    if failures is None and not bool(made.isfinite().all()):
                        expect(scorers[index], "score returns values that are not finite")
                    found[index].append(made)
                done += rows
        for index in alike:  # the images that a failed computation left
            found[index].append(torch.full((len(pixels) - done,), torch.nan))
    return [torch.cat(blocks) for blocks in found]


def _checked(scorer: Scorer, features: Features, rows: int) -> tuple[Tensor, Tensor | None]:
    """Scores of a few images, and their maps if the scorer gives any."""
    maps = None
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


@contextmanager
def noting(failures: dict[int, str] | None, *indices: int) -> Iterator[None]:
    """Note an error of scorers in ``failures``, if there is such a dictionary."""
    try:
        yield
    except BaseException as error:
        if failures is None or out_of_memory(error):
            raise
        known = isinstance(error, UserError | PluginFault)
        fault = error if known else blame(error)
        if fault is None:
            raise
        if not known:
            show_traceback(fault)
        failures.update(dict.fromkeys(indices, str(fault)))
