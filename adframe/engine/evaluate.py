"""Fits scorers on a trained method, and scores images."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from adframe.engine import returned
from adframe.engine.learned import pack
from adframe.engine.map_store import MapStore
from adframe.engine.metrics import auroc, auroc_by_class, pixel_floor
from adframe.engine.returned import expect
from adframe.engine.scoring import Counter, by_view_spec, fit, noting, score
from adframe.engine.state import Run
from adframe.interfaces import Images, Outcome, Report, Scored, count_variants
from adframe.registry.blame import out_of_memory
from adframe.registry.registry import reason


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
    maps = MapStore() if any(metric.reads_pixels for metric in run.assembly.metrics) else None
    of_test_sets = {
        title: _scores(run, title, images, seen, failures, maps)
        for title, images in run.test_sets.items()
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
            figures = _figures(run, index, scores, maps, failed)
            outcomes[name] = Outcome(auroc(scores), scores, by_class, figures)
    try:
        floor = pixel_floor(run.data.train, run.test_sets)
    except Exception as error:
        if out_of_memory(error):
            raise
        floor, failed["pixel floor"] = {}, reason(error)
    return Report(outcomes, floor, run.seconds, run.epoch, run.out, failed)


def _scores(
    run: Run,
    title: str,
    images: Images,
    seen: Counter,
    failures: dict[int, str],
    maps: MapStore | None,
) -> list[Tensor]:
    """Scores of a test set by each scorer; keeps maps if metrics will read them."""

    def keep(scorer: int, start: int, made: Tensor) -> None:
        if maps is not None and images.masks:
            maps.keep(scorer, title, images, start, made)

    assembly = run.assembly
    return score(
        assembly.scorers,
        assembly.method,
        assembly.shifts,
        images.pixels,
        run.config.seed,
        seen,
        failures,
        keep,
    )


def _figures(
    run: Run,
    index: int,
    scores: Mapping[str, Tensor],
    maps: MapStore | None,
    failed: dict[str, str],
) -> dict[str, dict[str, float]]:
    """Value of each metric of the config for each outlier set, of one scorer.

    A metric that fails is left out and named in ``failed``.
    """

    def scored(title: str) -> Scored:
        kept = None if maps is None else maps.of(index, title)
        return Scored(scores[title], kept, () if kept is None else run.test_sets[title].masks)

    normal, found = scored("inliers"), dict[str, dict[str, float]]()
    for spec, metric in zip(run.config.metrics, run.assembly.metrics, strict=True):
        for title in scores:
            anomalous = scored(title)
            lacks = normal.maps is None or anomalous.maps is None
            if title == "inliers" or (metric.reads_pixels and lacks):
                continue
            try:
                value = metric.value(normal, anomalous)
                expect(metric, returned.figure(value))
            except Exception as error:
                if out_of_memory(error):
                    raise
                failed[f"metric {spec.entry.name}"] = reason(error)
                continue
            found.setdefault(spec.entry.name, {})[title] = float(value)
    return found


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


def _progress(run: Run, fitted: bool) -> Counter:
    """Function that counts scored views and calls the hook ``adframe_progress``."""
    images = [*run.test_sets.values(), *([] if fitted else [run.data.train])]
    total = 0
    for spec, alike in by_view_spec(run.assembly.scorers).items():
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
