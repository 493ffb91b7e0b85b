"""The results table at the end of a run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from adframe import Report


def show(report: Report) -> None:
    """Print AUROC of each scorer on each outlier set beside the raw-pixel floor."""
    table = Table(title=f"AUROC after {report.epochs} epochs, {report.seconds:.0f} s")
    table.add_column("outliers")
    floor = {f"pixels, {measure}": outcome for measure, outcome in report.floor.items()}
    columns = {**report.outcomes, **floor}
    for name in columns:
        table.add_column(name, justify="right")
    for part in report.auroc:
        table.add_row(part, *(f"{column.auroc[part]:.4f}" for column in columns.values()))
    if len(report.auroc) > 1:
        table.add_section()
        table.add_row("mean", *(f"{column.mean:.4f}" for column in columns.values()))
    console = Console()
    console.print(table)
    if report.out is not None:
        console.print(f"run folder: {report.out}", highlight=False, soft_wrap=True)
