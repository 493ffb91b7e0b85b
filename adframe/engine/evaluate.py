"""Fits scorers on a trained method, and scores images."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from adframe.engine.decision import decide
from adframe.engine.learned import pack
from adframe.engine.map_store import MapStore
from adframe.engine.metrics import (
    auroc,
    auroc_by_class,
    figure,
    has_figure,
    joined,
    pixel_floor,
)
from adframe.engine.scoring import Counter, MapSink, by_view_spec, fit, noting, score
from adframe.engine.state import Run
from adframe.interfaces import Images, Outcome, Report, Scored, count_variants
from adframe.registry.blame import out_of_memory
from adframe.registry.registry import reason

_HELD = "calibration images"


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
        with noting(failures, index):
            pack(scorer, run.config.scorer[index].entry.name)  # before all images are scored
    maps = MapStore()
    of_test_sets = {
        title: _scores(run, images, seen, failures, _keeper(run, title, images, maps))
        for title, images in run.test_sets.items()
    }
    held_out = run.calibration
    calibration = None if held_out is None else _scores(run, held_out, seen, failures)
    outcomes: dict[str, Outcome] = {}
    failed: dict[str, str] = {}
    for index in range(len(scorers)):
        scores = {title: of_scorers[index] for title, of_scorers in of_test_sets.items()}
        name = run.config.scorer[index].entry.name
        name = name if name not in outcomes else f"{name}_{index}"
        problem = failures.get(index) or _not_finite(scores, run.test_sets)
        held = None if calibration is None else calibration[index]
        if held is not None and held_out is not None and not problem:
            problem = _not_finite({_HELD: held}, {_HELD: held_out})
        if problem:
            outcomes[name], failed[name] = Outcome({}, scores), problem
        else:
            outcomes[name] = _outcome(run, index, scores, maps, failed)
            if held is not None and run.config.decision is not None:
                rate = run.config.decision.false_alarms
                outcomes[name].decision = decide(scores, held, rate)
    try:
        floor = pixel_floor(run.data.train, run.test_sets)
    except Exception as error:
        if out_of_memory(error):
            raise
        floor, failed["pixel floor"] = {}, reason(error)
    return Report(outcomes, floor, run.seconds, run.epoch, run.out, failed)


def _scores(
    run: Run,
    images: Images,
    seen: Counter,
    failures: dict[int, str],
    keep: MapSink | None = None,
) -> list[Tensor]:
    """Scores of a set of images by each scorer."""
    assembly, seed = run.assembly, run.config.seed
    parts = assembly.scorers, assembly.method, assembly.shifts
    return score(*parts, images.pixels, seed, seen, failures, keep)


def _keeper(run: Run, title: str, images: Images, maps: MapStore) -> MapSink:
    """Function that notes the range of maps, and keeps them if metrics will read them."""
    read = images.masks and any(metric.reads_pixels for metric in run.assembly.metrics)

    def keep(scorer: int, start: int, made: Tensor) -> None:
        maps.note(scorer, title, made)
        if read:
            maps.keep(scorer, title, images, start, made)

    return keep


def _outcome(
    run: Run,
    index: int,
    scores: dict[str, Tensor],
    maps: MapStore,
    failed: dict[str, str],
) -> Outcome:
    """AUROC and the metrics of the config for one scorer.

    A metric that fails has no value and is named in ``failed``.
    """

    def scored(title: str) -> Scored:
        kept = maps.of(index, title)
        return Scored(scores[title], kept, () if kept is None else run.test_sets[title].masks)

    sets = {title: scored(title) for title in scores}
    normal = sets.pop("inliers")
    own = list(sets)[: len(sets) - len(run.assembly.outliers)]
    outcome = Outcome(auroc(scores), scores, auroc_by_class(scores, run.test_sets))
    outcome.map_range = maps.range(index)
    together = joined([sets[title] for title in own]) if len(own) > 1 else None
    if together is not None:
        both = {"inliers": normal.scores, "": together.scores}
        outcome.pooled["auroc"] = auroc(both)[""]
    for spec, metric in zip(run.config.metrics, run.assembly.metrics, strict=True):
        name = spec.entry.name
        try:
            for title, anomalous in sets.items():
                if has_figure(metric, normal, anomalous):
                    value = figure(metric, normal, anomalous)
                    outcome.metrics.setdefault(name, {})[title] = value
            if together is not None and has_figure(metric, normal, together):
                outcome.pooled[name] = figure(metric, normal, together)
        except Exception as error:
            if out_of_memory(error):
                raise
            failed[f"metric {name}"] = reason(error)
            outcome.metrics.pop(name, None)
    return outcome


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


def count_views(run: Run, fitted: bool = False) -> int:
    """Number of image views that an evaluation passes through the network."""
    images = [*run.test_sets.values(), *([] if fitted else [run.data.train])]
    images += [] if run.calibration is None else [run.calibration]
    total = 0
    for spec, alike in by_view_spec(run.assembly.scorers).items():
        exposing = not fitted and any(run.assembly.scorers[index].needs_exposed for index in alike)
        known = [run.exposed] if exposing and run.exposed is not None else []
        variants = count_variants(run.assembly.shifts) if spec.apply_shifts else 1
        total += sum(map(len, [*images, *known])) * spec.views * variants
    return total


def _progress(run: Run, fitted: bool) -> Counter:
    """Function that counts scored views and calls the hook ``adframe_progress``."""
    total, done = count_views(run, fitted), 0

    def count(views: int) -> None:
        nonlocal done
        done = min(done + views, total)
        run.hook.adframe_progress(run=run, done=done, total=total)

    count(0)
    return count
