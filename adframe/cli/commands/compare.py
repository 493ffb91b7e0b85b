"""``adframe compare``: finished runs on the same test images, and whether they differ."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from adframe.cli import options
from adframe.errors import one_line
from adframe.io.paths import a_path
from adframe.io.terminal import Screen

if TYPE_CHECKING:
    from adframe.engine.comparison import ComparedRun, Comparison, Figure, SeedGroup

summary = "compare runs on the same test images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare RUN..., ``--samples``, ``--seed`` and ``--json``."""
    parser.add_argument(
        "runs", nargs="+", type=a_path, metavar="RUN", help="folders of finished runs"
    )
    parser.add_argument(
        "--samples", type=int, default=2000, metavar="N", help="resamples of the images (2000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the resamples (0)")
    options.as_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the AUROC of each run with its interval, and the paired differences to the first."""
    from adframe.engine.compare import compare

    found = compare(arguments.runs, arguments.samples, arguments.seed)
    if arguments.json:
        print(json.dumps(asdict(found), indent=2))
    else:
        _print(found)
    return 0


def _print(found: Comparison) -> None:
    from adframe.tables.screen import show_table

    screen, first = Screen(), found.runs[0]
    head = ["outliers", "run", "AUROC", "95 % interval", "difference", "95 % interval", "p"]
    rows = [
        [one_line(title), one_line(run.run), *_cells(figure, run is first)]
        for title, figures in _by_set(found)
        for run, figure in zip(found.runs, figures, strict=True)
    ]
    several = len(found.runs) > 1
    width = len(head) if several else 4
    show_table(screen, head[:width], [row[:width] for row in rows])
    outliers = found.images - found.inliers
    screen.line(f"{found.inliers} inliers, {outliers} outliers, {found.samples} resamples of these")
    for run in found.runs[1:]:
        screen.line(one_line(verdict(run, first)))
    if found.groups:
        _print_groups(screen, found.groups)
    elif several:
        screen.line("Other seeds may differ by more: compare several seeds of each config.")


def _by_set(found: Comparison) -> Iterator[tuple[str, list[Figure]]]:
    """Each set of outliers, and their mean if there are several, with the figure of each run."""
    sets = list(found.runs[0].sets)
    for name in sets:
        yield name, [run.sets[name] for run in found.runs]
    if len(sets) > 1:
        yield "mean", [run.mean for run in found.runs]


def _print_groups(screen: Screen, groups: Sequence[SeedGroup]) -> None:
    from adframe.engine.bootstrap import LEVEL
    from adframe.tables.screen import show_table

    rows = []
    for group in groups:
        spreads = [*group.sets.items(), *([("mean", group.mean)] if len(group.sets) > 1 else [])]
        first, count = group.runs[0], str(len(group.runs))
        rows += [
            [one_line(title), one_line(first), count, f"{of.mean:.4f}", f"{of.sd:.4f}"]
            for title, of in spreads
        ]
    screen.line()
    show_table(screen, ["outliers", "runs like", "seeds", "mean AUROC", "deviation"], rows)
    for group in groups[1:]:
        if group.p_value is None:
            continue
        difference = group.mean.mean - groups[0].mean.mean
        word = "more" if group.p_value < 1 - LEVEL else "no more"
        text = (
            f"runs like {group.runs[0]} and like {groups[0].runs[0]}: a difference of "
            f"{difference:+.4f} is {word} than the noise of seeds (p = {group.p_value:.3f})"
        )
        screen.line(one_line(text))


def _cells(figure: Figure, first: bool) -> list[str]:
    cells = [f"{figure.auroc:.4f}", f"{figure.low:.4f} to {figure.high:.4f}"]
    if first:
        return [*cells, "", "", ""]
    between = f"{figure.difference_low:+.4f} to {figure.difference_high:+.4f}"
    return [*cells, f"{figure.difference:+.4f}", between, f"{figure.p_value:.4f}"]


def verdict(run: ComparedRun, first: ComparedRun) -> str:
    """Whether a run differs from the first by more than chance of the images, in words."""
    figure = run.mean
    word = "more" if figure.more_than_noise else "no more"
    return (
        f"{run.run} and {first.run}: a difference of {figure.difference:+.4f} is {word} than the "
        f"noise of these test images (p = {figure.p_value:.3f})"
    )
