"""Compares finished runs image by image, from their stored scores; imports no torch."""

from __future__ import annotations

import csv
import io
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from adframe.engine import bootstrap
from adframe.engine.bootstrap import Floats
from adframe.engine.comparison import ComparedRun, Comparison, Figure, SeedGroup, Spread
from adframe.engine.run_list import RunFacts, read_run, read_sections
from adframe.errors import UserError
from adframe.io.paths import AnyPath, as_list
from adframe.io.read import read_text

MAX_SAMPLES = 1_000_000
Key = tuple[str, str, str, int]  # set, path, label, and a number for paths that occur again
Scores = dict[str, Floats]  # set -> scores of its images


def compare(runs: AnyPath | Iterable[AnyPath], samples: int = 2000, seed: int = 0) -> Comparison:
    """Compare finished runs on the same test images, by the stored scores of the main scorer.

    The images are resampled, inliers and outliers apart, and all runs share the resamples. So an
    interval holds for other test images of the same kind; what other seeds would give it does not
    know.

    Args:
        runs: run folders.
        samples: number of resamples.
        seed: decides the resamples.

    Raises:
        UserError: a folder holds no finished run or no outliers, a score is not finite, or the
            test images of two runs differ.
    """
    if not 1 < samples <= MAX_SAMPLES or seed < 0:
        raise UserError(f"expected 2 to {MAX_SAMPLES} samples, and a seed of at least 0")
    folders = [Path(run) for run in as_list(runs)]
    if not folders:
        raise UserError("no runs")
    facts = [_finished(folder) for folder in folders]
    rows = [_read(folder) for folder in folders]
    _check_same(facts, rows)
    scores = [_by_set(rows[0], found) for found in rows]
    sizes = {name: len(of) for name, of in scores[0].items()}
    if "inliers" not in sizes or len(sizes) < 2:
        lack = "outliers" if "inliers" in sizes else "inliers"
        raise UserError(f"{folders[0]}: no {lack} among its test images")
    resamples = bootstrap.resampled(scores, samples, seed)
    figures = _figures(scores, resamples, min(sizes.values()))
    compared = [
        ComparedRun(fact.name, (fact.scorer or "").partition("+")[0], fact.seed, *figure)
        for fact, figure in zip(facts, figures, strict=True)
    ]
    groups = _groups(folders, compared)
    return Comparison(compared, groups, len(rows[0]), sizes["inliers"], samples)


def _finished(folder: Path) -> RunFacts:
    facts = read_run(folder, folder)
    if facts.status != "finished":
        reason = f": {facts.reason}" if facts.reason else ""
        raise UserError(f"{folder}: is no finished run: {facts.status}{reason}")
    return facts


def _read(folder: Path) -> dict[Key, float]:
    """Score of each test image of a run.

    Raises:
        UserError: ``scores.csv`` is missing or damaged, or a score is not finite.
    """
    path, found, seen = folder / "scores.csv", dict[Key, float](), Counter[tuple[str, ...]]()
    try:
        for row in csv.DictReader(io.StringIO(read_text(path), newline="")):
            image = row["set"], row["path"], row["label"]
            if None in image:
                raise ValueError("a row lacks a column")
            found[*image, seen[image]] = float(row["score"])
            seen[image] += 1
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise UserError(f"{path}: damaged: {error}") from error
    bad = sum(not np.isfinite(score) for score in found.values())
    if bad:
        raise UserError(f"{path}: {bad} of {len(found)} scores are not finite")
    return found


def _check_same(runs: list[RunFacts], rows: list[dict[Key, float]]) -> None:
    for run, found in zip(runs[1:], rows[1:], strict=True):
        if found.keys() != rows[0].keys():
            same = len(found.keys() & rows[0].keys())
            hint = "; is it the seed that splits the data set?" if run.seed != runs[0].seed else ""
            raise UserError(
                f"{run.name}: other test images than {runs[0].name}: "
                f"{same} of {len(found)} match, and {runs[0].name} has {len(rows[0])}{hint}"
            )


def _by_set(order: Mapping[Key, float], scores: Mapping[Key, float]) -> Scores:
    """Scores by set, inliers first, each in the order of the first run."""
    sets: dict[str, list[float]] = {}
    for key in order:
        sets.setdefault(key[0], []).append(scores[key])
    return {name: np.array(of) for name, of in sets.items()}


def _figures(
    scores: list[Scores], resamples: Mapping[str, Floats], images: int
) -> list[tuple[dict[str, Figure], Figure]]:
    """The figures of each run on each set, and on their mean."""
    values = {
        name: np.array([bootstrap.auroc(of["inliers"], of[name]) for of in scores])
        for name in resamples
    }
    found = {name: _row(values[name], resamples[name], images) for name in resamples}
    mean = _row(
        np.mean(list(values.values()), axis=0), np.mean(list(resamples.values()), axis=0), images
    )
    return [
        ({name: row[run] for name, row in found.items()}, mean[run]) for run in range(len(mean))
    ]


def _row(values: Floats, resamples: Floats, images: int) -> list[Figure]:
    """The figure of each run from its AUROC, shape (R,), and those of resamples, (R, B)."""
    figures = []
    for value, of in zip(values.tolist(), resamples, strict=True):
        (low, high), p = bootstrap.difference(of - resamples[0])
        figures.append(
            Figure(value, *bootstrap.interval(value, of, images), value - float(values[0]),
                   low, high, p, low > 0 or high < 0)
        )  # fmt: skip
    return figures


def _groups(folders: list[Path], runs: list[ComparedRun]) -> list[SeedGroup]:
    together: dict[frozenset[tuple[str, str]], list[ComparedRun]] = {}
    for folder, run in zip(folders, runs, strict=True):
        sections = read_sections(folder / "config.yaml")
        key = frozenset(item for item in sections.items() if _matters(*item))
        together.setdefault(key, []).append(run)
    groups: list[SeedGroup] = []
    values: list[list[float]] = []
    for members in together.values():
        by_seed = {run.seed: run for run in members if run.seed is not None}
        if len(by_seed) > 1:
            of = list(by_seed.values())
            sets = {name: _spread([run.sets[name].auroc for run in of]) for name in of[0].sets}
            values.append([run.mean.auroc for run in of])
            p = _p_value(values[0], values[-1]) if groups else None
            names = [run.run for run in of]
            groups.append(SeedGroup(names, list(by_seed), sets, _spread(values[-1]), p))
    return groups


def _matters(name: str, text: str) -> bool:
    """Whether runs with another text of a section of the config differ in more than the seed."""
    empty = text.partition(":")[2].strip() in ("null", "[]")  # as if an older run had no such key
    return not empty and name not in ("seed", "plugins", "observers")


def _spread(values: list[float]) -> Spread:
    return Spread(statistics.fmean(values), statistics.stdev(values))


def _p_value(first: list[float], second: list[float]) -> float | None:
    """Two-sided p-value of Welch's t-test; None where neither varies."""
    from scipy.special import stdtr

    parts = [statistics.variance(values) / len(values) for values in (first, second)]
    if not sum(parts):
        return None
    lost = sum(part**2 / (len(of) - 1) for part, of in zip(parts, (first, second), strict=True))
    t = (statistics.fmean(first) - statistics.fmean(second)) / sum(parts) ** 0.5
    return float(2 * stdtr(sum(parts) ** 2 / lost, -abs(t)))
