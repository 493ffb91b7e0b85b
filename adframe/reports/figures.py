"""The figures of a report, as SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 4.6, 3.2  # inches
GOOD, BAD = "#3b6fb6", "#c0392b"
COLOURS = ("#c0392b", "#d98c1f", "#6d4ba0", "#3f8f5f", "#8a5a44", "#4d4d4d", "#b04a86", "#1f8fa0")
MOST_SETS = 8  # with a curve each; of more, there is one for all of them
POINTS = 500  # of a curve
STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "path.simplify": True,
}


def histogram(scores: Mapping[str, np.ndarray], threshold: float | None) -> str:
    """Shares of good and bad test images by score, and the threshold."""
    good, bad = scores["inliers"], _together(scores)

    def draw(axes: Axes) -> None:
        every = np.concatenate([good, bad])
        low, high = float(every.min()), float(every.max())
        edges = np.linspace(low, high if high > low else low + 1, 41)
        for values, name, colour in ((good, "normal", GOOD), (bad, "anomalous", BAD)):
            if len(values):
                counts = np.histogram(values, edges)[0] / len(values)
                axes.stairs(counts, edges, fill=True, color=colour, alpha=0.45, label=name)
        if threshold is not None:
            axes.axvline(threshold, color="black", linewidth=1, linestyle="--", label="threshold")
        axes.set(xlabel="score", ylabel="share of images")
        axes.legend(frameon=False)

    return _svg(draw, "histogram")


def curves(scores: Mapping[str, np.ndarray]) -> tuple[str, str]:
    """ROC and precision over recall: of all outliers together, or of each of a few sets."""
    sets = {name: of for name, of in scores.items() if name != "inliers"}
    if len(sets) != 1:
        sets = {"all anomalies": _together(scores), **(sets if len(sets) <= MOST_SETS else {})}
    counted = {name: counts(scores["inliers"], of) for name, of in sets.items()}

    def roc(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=0.8)
        for (name, (false, true)), colour in zip(counted.items(), cycle(COLOURS), strict=False):
            axes.plot(*_thin(false / false[-1], true / true[-1]), color=colour, label=_short(name),
                      linewidth=1.2, drawstyle="steps-post")  # fmt: skip
        axes.set(xlabel="false alarms (share of normal images)", ylabel="anomalies found")
        axes.legend(frameon=False, loc="lower right")

    def precision(axes: Axes) -> None:
        for (name, (false, true)), colour in zip(counted.items(), cycle(COLOURS), strict=False):
            exact = true[1:] / (true[1:] + false[1:])
            axes.plot(*_thin(true[1:] / true[-1], exact), color=colour, label=_short(name),
                      linewidth=1.2)  # fmt: skip
        axes.set(xlabel="recall (anomalies found)", ylabel="precision", ylim=(0, 1.02))
        axes.legend(frameon=False, loc="lower left")

    return _svg(roc, "roc"), _svg(precision, "precision")


def losses(log: Sequence[Mapping[str, Any]]) -> str:
    """Mean loss of each epoch."""
    points = [(line["epoch"], line["loss"]) for line in log if _numbers(line, "epoch", "loss")]

    def draw(axes: Axes) -> None:
        axes.plot(*zip(*points, strict=True), color=GOOD, linewidth=1.2,
                  marker="." if len(points) < 20 else None)  # fmt: skip
        axes.set(xlabel="epoch", ylabel="mean loss")

    return _svg(draw, "loss") if points else ""


def validated(log: Sequence[Mapping[str, Any]]) -> str:
    """AUROC on the validation images after each epoch that has one, a line for each scorer."""
    first = "validation_auroc"
    names = dict.fromkeys(name for line in log for name in line if name.startswith(first))
    series = {
        name.removeprefix(first).strip("_"): [
            (line["epoch"], line[name]) for line in log if _numbers(line, "epoch", name)
        ]
        for name in names
    }
    series = {name: points for name, points in series.items() if points}

    def draw(axes: Axes) -> None:
        for (name, points), colour in zip(series.items(), cycle(COLOURS), strict=False):
            axes.plot(*zip(*points, strict=True), color=colour, label=_short(name or "main scorer"),
                      linewidth=1.2, marker="." if len(points) < 20 else None)  # fmt: skip
        axes.set(xlabel="epoch", ylabel="AUROC")
        if len(series) > 1:
            axes.legend(frameon=False)

    return _svg(draw, "validation") if series else ""


def counts(good: np.ndarray, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positives at each threshold, from the highest on; both start with 0."""
    values = np.concatenate([good, bad])
    order = np.argsort(-values, kind="stable")
    truth = np.repeat([0, 1], [len(good), len(bad)])[order]
    last = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    true = np.cumsum(truth)[last]
    return np.append(0, last + 1 - true), np.append(0, true)


def _together(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0), *(of for name, of in scores.items() if name != "inliers")])


def _thin(across: np.ndarray, up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most ``POINTS`` points of a curve, with both ends."""
    rows = np.unique(np.linspace(0, len(across) - 1, POINTS).round().astype(int))
    return across[rows], up[rows]


def _numbers(line: Mapping[str, Any], *keys: str) -> bool:
    return all(type(line.get(key)) in (int, float) and abs(line[key]) < 1e300 for key in keys)


def _short(name: str) -> str:
    name = "".join(sign if sign.isprintable() else "?" for sign in name)
    return name if len(name) <= 24 else f"{name[:21]}..."


def _svg(draw: Callable[[Axes], None], name: str) -> str:
    """A figure as an ``svg`` element; equal data give equal text."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        stream = io.StringIO()
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    text = stream.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
