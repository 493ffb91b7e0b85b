"""Fits scorers on a trained method, and scores images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from adframe.engine import returned
from adframe.engine.features import MIN_BATCH, extract_features
from adframe.engine.learned import pack
from adframe.engine.metrics import auroc, auroc_by_class, pixel_floor
from adframe.engine.returned import expect, requested
from adframe.engine.state import Run
from adframe.errors import PluginFault, TrainingError, UserError
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
from adframe.registry.blame import blame, out_of_memory, show_traceback
from adframe.registry.registry import reason

Counter = Callable[[int], None]  #: receives the number of image views of a forward pass


def evaluate(run: Run, fitted: bool = False) -> Report:
    """Fit every scorer on the training images, unless it is ``fitted``; score every test image.

    A scorer that fails is named in ``Report.failed``; the results of the others are kept.
    """
    method, seed = run.assembly.method, run.config.seed
    scorers, shifts = run.assembly.scorers, run.assembly.shifts
    seen, failures = _progress(run, fitted), dict[int, str]()
    if not fitted:
        fit(scorers, method, shifts, run.data.train, seed, run.exposed, seen, failures)
    for index, scorer in enumerate(scorers if run.out is not None else ()):
        with _noting(failures, index):
            pack(scorer, run.config.scorer[index].entry.name)  # before all images are scored
    of_test_sets = {
        name: score(scorers, method, shifts, images.pixels, seed, seen, failures)
        for name, images in run.test_sets.items()
    }
    outcomes: dict[str, Outcome] = {}
    failed: dict[str, str] = {}
    for index in range(len(scorers)):
        scores = {title: of_scorers[index] for title, of_scorers in of_test_sets.items()}
        name = run.config.scorer[index].entry.name
        name = name if name not in outcomes else f"{name}_{index}"
        problem = failures.get(index) or _not_finite(scores, run.test_sets)
        if problem:
            outcomes[name], failed[name] = Outcome({}, scores), problem
        else:
            by_class = auroc_by_class(scores, run.test_sets)
            outcomes[name] = Outcome(auroc(scores), scores, by_class)
    try:
        floor = pixel_floor(run.data.train, run.test_sets)
    except Exception as error:
        if out_of_memory(error):
            raise
        floor, failed["pixel floor"] = {}, reason(error)
    return Report(outcomes, floor, run.seconds, run.epoch, run.out, failed)


def _not_finite(scores: Mapping[str, Tensor], test_sets: Mapping[str, Images]) -> str:
    """Problem of scores that are not finite: how many, and the first of them."""
    bad = {name: (~of.isfinite()).nonzero().flatten().tolist() for name, of in scores.items()}
    for name, rows in bad.items():
        if rows:
            count, total = sum(map(len, bad.values())), sum(map(len, scores.values()))
            value = scores[name][rows[0]].item()
            image = test_sets[name].names[rows[0]]
            return f"{count} of {total} scores are not finite; {name}, {image}: {value}"
    return ""


@contextmanager
def _noting(failures: dict[int, str] | None, index: int) -> Iterator[None]:
    """Note the error of one scorer in ``failures``, if there is such a dictionary."""
    try:
        yield
    except (UserError, PluginFault) as error:
        if failures is None:
            raise
        failures[index] = str(error)
    except BaseException as error:
        if failures is None or out_of_memory(error):
            raise
        fault = blame(error)
        if fault is None:
            raise
        show_traceback(fault)
        failures[index] = str(fault)


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
    for spec, alike in _by_view_spec(scorers).items():

        def features(images: Images, spec: ViewSpec = spec) -> Features:
            found = extract_features(method, shifts, images.pixels, spec, seed)
            blocks = list(_counted(found, seen))
            whole = {name: torch.cat([b[name] for b in blocks]) for name in blocks[0]}
            _check_features(whole, images)
            return whole

        inliers = {**features(train), "label": train.label}
        for index in alike:
            with _noting(failures, index):
                scorers[index].fit(inliers)
        exposing = [index for index in alike if scorers[index].needs_exposed]
        if exposing and exposed is not None:
            known = features(exposed)
            for index in exposing:
                with _noting(failures, index):
                    scorers[index].expose(known)


def _check_features(features: Features, images: Images) -> None:
    for name, values in features.items():
        bad = (~values.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
        if bad:
            raise TrainingError(
                f"the {name} of {len(bad)} of {len(images)} training images are not finite, "
                f"such as {images.names[bad[0]]}: the network has diverged; "
                "try a smaller learning rate or train.clip: 1.0"
            )


def score(
    scorers: Sequence[Scorer],
    method: Method,
    shifts: Sequence[Shift],
    pixels: Pixels,
    seed: int,
    seen: Counter = lambda views: None,
    failures: dict[int, str] | None = None,
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
        failures: as for ``fit``; the scores of scorers in it are NaN.
    """
    filled = pixels
    if len(pixels) < MIN_BATCH:
        copies = pixels[-1:].expand(MIN_BATCH - len(pixels), *pixels.shape[1:])
        filled = torch.cat([pixels[:], copies])
    found: list[list[Tensor]] = [[] for _ in scorers]
    for spec, alike in _by_view_spec(scorers).items():
        for block in _counted(extract_features(method, shifts, filled, spec, seed), seen):
            rows = len(next(iter(block.values())))
            for index in alike:
                made = torch.full((rows,), torch.nan)
                if failures is None or index not in failures:
                    with _noting(failures, index):
                        made = _checked(scorers[index], block, rows)
                if failures is None and not bool(made.isfinite().all()):
                    expect(scorers[index], "score returns values that are not finite")
                found[index].append(made)
    return [torch.cat(blocks)[: len(pixels)] for blocks in found]


def _checked(scorer: Scorer, features: Features, rows: int) -> Tensor:
    scores = scorer.score(features)
    expect(scorer, returned.scores(scores, rows))
    return scores.detach().float().cpu()


def _by_view_spec(scorers: Sequence[Scorer]) -> dict[ViewSpec, list[int]]:
    """Indices of the scorers that request the same views."""
    alike: dict[ViewSpec, list[int]] = {}
    for index, scorer in enumerate(scorers):
        alike.setdefault(requested(scorer), []).append(index)
    return alike
