"""The results table at the end of a run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from adframe import Report


def show(report: Report) -> None:
    """Print AUROC of each scorer on each outlier set beside the raw-pixel floor.

    A row for each set, or for each scorer where there are fewer sets: names need more room than
    figures.
    """
    floor = {f"pixels, {measure}": outcome for measure, outcome in report.floor.items()}
    scorers = {**report.outcomes, **floor}
    lines = [["", *scorers]]
    lines += [[part, *(f"{s.auroc[part]:.4f}" for s in scorers.values())] for part in report.auroc]
    if len(report.auroc) > 1:
        lines.append(["mean", *(f"{scorer.mean:.4f}" for scorer in scorers.values())])
    turned = len(lines[0]) > len(lines)
    if turned:
        lines = [list(line) for line in zip(*lines, strict=True)]
    table = Table(title=f"AUROC after {report.epochs} epochs, {report.seconds:.0f} s")
    table.add_column("scorer" if turned else "outliers", overflow="fold")
    for name in lines[0][1:]:
        table.add_column(name, justify="right", overflow="fold")
    parted = next(iter(floor), None) if turned else "mean"
    for line in lines[1:]:
        if line[0] == parted:
            table.add_section()
        table.add_row(*line)
    console = Console()
    console.print(table)
    if report.out is not None:
        console.print(f"run folder: {report.out}", highlight=False, soft_wrap=True)
