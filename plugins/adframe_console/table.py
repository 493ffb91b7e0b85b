"""The results table at the end of a run."""

from __future__ import annotations

import re
from collections.abc import Container

import numpy as np
from rich.console import Console
from rich.table import Table

from adframe import Report
from adframe.interfaces import Decision, Interval, Outcome

Lines = list[list[str]]
_FIGURE = re.compile(r"(\d|nan)[\d.]*( \(|$)")


def show(report: Report) -> None:
    """Print the AUROC of each scorer on each outlier set, next to the raw-pixel floor.

    Under it stands the AUROC of all sets of the data set together, if it has several, and each
    metric: on all of them together, or its mean over sets.

    A figure is followed by its 95 % interval over the test images, if it has one.

    Names are never broken: where sets or scorers are too many for the width, each figure has a
    line. A scorer that failed has no figures.
    """
    floor = {_printable(f"pixels, {measure}"): outcome for measure, outcome in report.floor.items()}
    scorers = {**report.outcomes, **floor}
    lines = [["outliers", *scorers]]
    parts = list(dict.fromkeys(part for scorer in scorers.values() for part in scorer.auroc))
    lines += [[part, *(_auroc(s, part) for s in scorers.values())] for part in parts]
    if not parts:
        lines.append(["none", *("-" for _ in scorers)])
    if len(parts) > 1:
        means = [(s.mean if s.auroc else None, s.mean_interval) for s in scorers.values()]
        lines.append(["mean", *(_figure(*each) for each in means)])
    if any(scorer.pooled for scorer in scorers.values()):
        lines.append(["together", *(_pooled(scorer) for scorer in scorers.values())])
    metrics = list(dict.fromkeys(name for each in scorers.values() for name in each.metrics))
    lines += [[name, *(_metric(each, name) for each in scorers.values())] for name in metrics]
    lines = [[_printable(cell) for cell in line] for line in lines]
    turned = [list(line) for line in zip(*lines, strict=True)]
    turned[0][0] = "scorer"
    console = Console(markup=False, emoji=False, highlight=False)
    title = f"AUROC after {report.epochs} epochs, {report.seconds:.0f} s"
    by_size = sorted((lines, turned), key=lambda cells: len(cells[0]))
    tables = [_table(cells, title, floor) for cells in (*by_size, _long(lines))]
    free = console.options.update(width=10_000)
    fitting = [t for t in tables if console.measure(t, options=free).maximum <= console.width]
    console.print((fitting or tables)[0 if fitting else -1])
    decision = next(iter(report.outcomes.values())).decision
    if decision is not None:
        console.print(_decided(decision), soft_wrap=True)
    if report.below_floor:
        console.print(
            "worse than comparing raw pixels: train longer, or try another size or scorer",
            soft_wrap=True,
        )
    if report.out is not None:
        console.print(f"run folder: {_printable(str(report.out))}", soft_wrap=True)


def _figure(value: float | None, interval: Interval | None = None) -> str:
    """A figure, with its 95 % interval if it has one."""
    if value is None:
        return "failed"
    ends = "" if interval is None else " ({:.2f}-{:.2f})".format(*interval)
    return f"{value:.4f}{ends}"


def _pooled(outcome: Outcome) -> str:
    value, interval = outcome.pooled.get("auroc"), outcome.pooled_intervals.get("auroc")
    return "-" if value is None else _figure(value, interval)


def _auroc(outcome: Outcome, part: str) -> str:
    return _figure(outcome.auroc.get(part), outcome.intervals.get("auroc", {}).get(part))


def _metric(outcome: Outcome, name: str) -> str:
    """A metric on all sets of the data set together, or its mean over sets."""
    of_sets = list(outcome.metrics.get(name, {}).values())
    if not of_sets:
        return "-"
    known = list(outcome.intervals.get(name, {}).values())
    interval = known[0] if len(of_sets) == 1 and known else outcome.pooled_intervals.get(name)
    return _figure(outcome.pooled.get(name, sum(of_sets) / len(of_sets)), interval)


def _decided(decision: Decision) -> str:
    """Share of inliers, and of all outliers, that the first scorer calls anomalous."""
    normal, *sets = decision.p_values.values()
    parts = {"inliers": normal, **({"outliers": np.concatenate(sets)} if sets else {})}
    called = {name: int((of <= decision.false_alarms).sum()) for name, of in parts.items()}
    where = f"p <= {decision.false_alarms:g}"
    if decision.rule != "false_alarms":
        where = f"a score of {decision.threshold:.4g}, by {decision.rule} on validation images"
        counts = [round(decision.called[name] * len(of)) for name, of in decision.p_values.items()]
        called = dict(zip(parts, (counts[0], sum(counts[1:])), strict=False))
    shares = {name: 100 * called[name] / len(of) for name, of in parts.items()}
    texts = ", ".join(f"{share:.3g} % of {name}" for name, share in shares.items())
    total = sum(called.values())
    precise = f"; precision {called['outliers'] / total:.2f}" if sets and total else ""
    return f"at {where}: {texts} called anomalous{precise}"


def _long(lines: Lines) -> Lines:
    """Table with one AUROC per line, for narrow terminals."""
    scorers = lines[0][1:]
    return [
        ["outliers", "scorer", "AUROC"],
        *([line[0], *pair] for line in lines[1:] for pair in zip(scorers, line[1:], strict=True)),
    ]


def _table(lines: Lines, title: str, floor: Container[str]) -> Table:
    table = Table(title=title)
    for index, name in enumerate(lines[0]):
        cells = [line[index] for line in lines[1:]]
        figures = all(_FIGURE.match(cell) or cell in ("failed", "-") for cell in cells)
        table.add_column(name, justify="right" if figures else "left", no_wrap=True)
    parted = next((line[0] for line in lines[1:] if line[0] in floor or line[0] == "mean"), None)
    for line in lines[1:]:
        if line[0] == parted and line is not lines[1]:
            table.add_section()
            parted = None
        table.add_row(*line)
    return table


def _printable(text: str) -> str:
    """Escape control characters in names and paths, which could control the terminal."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
