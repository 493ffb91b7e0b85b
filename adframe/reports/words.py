"""The result of a run in sentences and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from adframe.reports.gather import RunView


def words(view: RunView) -> Iterable[str]:
    """Result and threshold in sentences."""
    mean = view.facts.auroc
    scores = view.scores()
    sizes = {name: len(of) for name, of in scores.items()}
    odd = sum(sizes.values()) - sizes["inliers"]
    if mean is None:
        yield "There were no anomalies to test with, so it is not known how many are found."
    else:
        yield (
            f"AUROC {mean:.3f}: of a hundred pairs of a normal image and an anomaly, the anomaly "
            f"has the higher score in about {round(100 * mean)}."
        )
    decision, bound = view.decision, view.threshold
    if bound is None:
        yield "The run decides about no image. Add decision to its config for a threshold."
    else:
        yield f"An image is called anomalous if its score is {bound:.4g} or more."
        good = sum(bool(image.anomalous) for image in view.images if image.good)
        bad = sum(bool(image.anomalous) for image in view.images if not image.good)
        share = (
            f"{good} of {sizes['inliers']} normal test images ({_percent(good, sizes['inliers'])})"
        )
        found = f", and {bad} of {odd} anomalies ({_percent(bad, odd)})" if odd else ""
        yield f"So it calls {share}{found}."
        if isinstance(rate := decision.get("false_alarms"), float):
            yield (
                f"On average at most {100 * rate:g} % of new normal images are called anomalous, "
                "if they are like those that the run was trained with."
            )
    if view.facts.floor is not None:
        yield f"Comparing raw pixels, without a network, gives an AUROC of {view.facts.floor:.3f}."
    seconds = view.facts.seconds
    if seconds is not None and view.log:
        spent = view.log[-1].get("seconds")
        count = view.environment.get("train_images")
        if isinstance(spent, float) and isinstance(count, int) and spent > 0:
            rate = count * len(view.log) / spent
            yield f"It took {seconds:.0f} seconds; training saw {rate:.0f} images a second."


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


def tables(view: RunView) -> list[list[list[str]]]:
    """AUROC of each scorer on each set, and its metrics; first row and column are headings."""
    scorers: dict[str, Any] = {**_dict(view.result.get("scorers"))}
    floor = {f"pixels, {name}": of for name, of in _dict(view.result.get("floor")).items()}
    every = {**scorers, **floor}
    sets = list(dict.fromkeys(name for of in every.values() for name in _dict(of.get("auroc"))))
    found = []
    if sets:
        rows = [["AUROC", *every]]
        for name in sets:
            rows.append([name, *(_cell(of, "auroc", name) for of in every.values())])
            of_classes = [_dict(_dict(of.get("classes")).get(name)) for of in every.values()]
            for each in dict.fromkeys(each for of in of_classes for each in of):
                rows.append([f"{name}: {each}", *(_number(of.get(each)) for of in of_classes)])
        if len(sets) > 1:
            rows.append(["mean", *(_number(of.get("mean_auroc")) for of in every.values())])
        found.append(rows)
    metrics = list(dict.fromkeys(m for of in scorers.values() for m in _dict(of.get("metrics"))))
    main: dict[str, Any] = next(iter(scorers.values()), {})
    if metrics and sets:
        rows = [[f"main scorer, {next(iter(scorers))}", *metrics]]
        of_sets = _dict(main.get("metrics"))
        rows += [[name, *(_cell(main, metric, name, of_sets) for metric in metrics)]
                 for name in sets]  # fmt: skip
        found.append(rows)
    return found


def in_words(value: Any) -> str:
    """A value of a JSON file in one line, without brackets."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {in_words(of)}" for name, of in value.items())
    if isinstance(value, list):
        return ", ".join(map(in_words, value)) or "none"
    return str(value)


def _cell(scorer: Mapping[str, Any], metric: str, name: str, of: Any = None) -> str:
    """A figure with its interval, if there is one."""
    value = _number(_dict(_dict(scorer if of is None else of).get(metric)).get(name))
    interval = _dict(_dict(scorer.get("intervals")).get(metric)).get(name)
    if isinstance(interval, list) and len(interval) == 2:
        return f"{value} ({_number(interval[0])} to {_number(interval[1])})"
    return value


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) and np.isfinite(value) else "-"


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
