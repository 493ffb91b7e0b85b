"""Fits scorers on a trained method, and scores images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from adframe.data.reading import ReadAs
from adframe.data.region import lowest_outside
from adframe.engine.collecting import Counter, noting
from adframe.engine.counting import progress
from adframe.engine.decision import decide
from adframe.engine.fold import folded
from adframe.engine.intervals import intervals
from adframe.engine.judge import scorer_names
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
from adframe.engine.scoring import MapSink, fit, score
from adframe.engine.state import Run
from adframe.interfaces import Decision, Images, Method, Outcome, Report, Scored
from adframe.registry.blame import out_of_memory
from adframe.registry.registry import reason

_HELD, _CHECKED = "calibration images", "validation images"


def evaluate(run: Run, fitted: bool = False) -> Report:
    """Fit every scorer on the training images, unless it is ``fitted``; score every test image.

    A scorer that fails is named in ``Report.failed``; the results of the others are kept.
    """
    scorers, failures, maps = run.assembly.scorers, dict[int, str](), MapStore()
    of_test_sets, calibration, checked = _all_scores(run, fitted, maps, failures)
    held_out, labelled = run.calibration, run.labelled
    outcomes: dict[str, Outcome] = {}
    failed: dict[str, str] = {}
    names = scorer_names(run.config)
    for index in range(len(scorers)):
        scores = {title: of_scorers[index] for title, of_scorers in of_test_sets.items()}
        name = names[index]
        problem = failures.get(index) or _not_finite(scores, run.test_sets)
        held = None if calibration is None else calibration[index]
        if held is not None and held_out is not None and not problem:
            problem = _not_finite({_HELD: held}, {_HELD: held_out})
        if checked is not None and labelled is not None and not problem:
            problem = _not_finite({_CHECKED: checked[index]}, {_CHECKED: labelled})
        if problem:
            outcomes[name], failed[name] = Outcome({}, scores), problem
        else:
            decision = None
            if held is not None and run.config.decision is not None:
                known = None
                if checked is not None and labelled is not None:
                    known = checked[index], labelled.outlier
                decision = decide(scores, held, run.config.decision, known)
            outcomes[name] = _outcome(run, index, scores, maps, failed, decision)
    try:
        floor = pixel_floor(run.data.train, run.test_sets)
    except Exception as error:
        if out_of_memory(error):
            raise
        floor, failed["pixel floor"] = {}, reason(error)
    return Report(outcomes, floor, run.seconds, run.epoch, run.out, failed, run.finished)


def share_evaluation(run: Run) -> None:
    """Do the part of this process in the evaluation of the first; for the other processes."""
    _all_scores(run, False, MapStore(), {})


def _all_scores(
    run: Run, fitted: bool, maps: MapStore, failures: dict[int, str]
) -> tuple[dict[str, list[Tensor]], list[Tensor] | None, list[Tensor] | None]:
    """Fit the scorers and score all images: the test sets, calibration and validation images."""
    method = folded(run.assembly.method, run.data.train.pixels.shape[1:])
    scorers, seen = run.assembly.scorers, progress(run, fitted)
    if not fitted:
        parts = scorers, method, run.assembly.shifts, run.data.train, run.config.seed
        fit(*parts, run.exposed, seen, failures, run.world)
    for index, scorer in enumerate(scorers if run.out is not None else ()):
        with noting(failures, index):
            pack(scorer, run.config.scorer[index].entry.name)  # before all images are scored
    of_test_sets = {
        title: _scores(run, method, images, seen, failures, _keeper(run, title, images, maps))
        for title, images in run.test_sets.items()
    }
    calibration, checked = (
        None if images is None else _scores(run, method, images, seen, failures)
        for images in (run.calibration, run.labelled)
    )
    return of_test_sets, calibration, checked


def _scores(
    run: Run,
    method: Method,
    images: Images,
    seen: Counter,
    failures: dict[int, str],
    keep: MapSink | None = None,
) -> list[Tensor]:
    """Scores of a set of images by each scorer."""
    parts = run.assembly.scorers, method, run.assembly.shifts, images.pixels, run.config.seed
    return score(*parts, seen, failures, keep, world=run.world)


def _keeper(run: Run, title: str, images: Images, maps: MapStore) -> MapSink:
    """Function that notes the range of maps, and keeps them if metrics will read them."""
    read = images.masks and any(metric.reads_pixels for metric in run.assembly.metrics)
    counted = _counted(run)

    def keep(scorer: int, start: int, made: Tensor) -> None:
        made = made if counted is None else lowest_outside(made, counted)
        maps.note(scorer, title, made)
        if read:
            maps.keep(scorer, title, images, start, made)

    return keep


def _counted(run: Run) -> Tensor | None:
    """(H, W) bool, the pixels of a map that count; None if all do."""
    size = tuple(run.data.train.pixels.shape[2:])
    return ReadAs(size, fit=run.assembly.dataset.fit, region=run.region).counted()


def _outcome(
    run: Run,
    index: int,
    scores: dict[str, Tensor],
    maps: MapStore,
    failed: dict[str, str],
    decision: Decision | None = None,
) -> Outcome:
    """AUROC and the metrics of the config for one scorer.

    A metric that fails has no value and is named in ``failed``.
    """
    counted = _counted(run)

    def scored(title: str) -> Scored:
        kept = maps.of(index, title)
        masks = () if kept is None else run.test_sets[title].masks
        return Scored(scores[title], kept, masks, counted)

    sets = {title: scored(title) for title in scores}
    normal = sets.pop("inliers")
    own = list(sets)[: len(sets) - len(run.assembly.outliers)]
    outcome = Outcome(auroc(scores), scores, auroc_by_class(scores, run.test_sets))
    outcome.map_range, outcome.decision = maps.range(index), decision
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
    if sets:
        _add_intervals(run, outcome, {"inliers": normal, **sets}, own, failed)
    return outcome


def _add_intervals(
    run: Run,
    outcome: Outcome,
    sets: Mapping[str, Scored],
    own: Sequence[str],
    failed: dict[str, str],
) -> None:
    """Bootstrap intervals of the figures of a scorer."""
    metrics = {
        spec.entry.name: metric
        for spec, metric in zip(run.config.metrics, run.assembly.metrics, strict=True)
        if spec.entry.name in outcome.metrics and not metric.reads_pixels
    }

    def value(name: str, title: str) -> float:
        if not title:
            return outcome.pooled[name]
        return outcome.auroc[title] if name == "auroc" else outcome.metrics[name][title]

    plain = {title: Scored(of.scores) for title, of in sets.items()}
    try:
        found = intervals(plain, own, metrics, value, outcome.decision)
    except Exception as error:
        if out_of_memory(error):
            raise
        failed["intervals"] = reason(error)
        return
    outcome.intervals, outcome.mean_interval = found.sets, found.mean
    outcome.pooled_intervals = found.pooled
    if outcome.decision is not None:
        outcome.decision.intervals["precision"] = found.precision


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
