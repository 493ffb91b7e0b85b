"""Renders the report of one run or several as one HTML file."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from adframe._version import __version__
from adframe.detector import Detector, load
from adframe.engine.compare import compare
from adframe.engine.comparison import Comparison
from adframe.errors import PluginFault, UserError, one_line
from adframe.io import atomic
from adframe.io.folders import check_no_run_file
from adframe.io.paths import AnyPath, as_list, as_path
from adframe.reports.figures import curves, histogram, losses, validated
from adframe.reports.gather import RunView, gather
from adframe.reports.pictures import Album, Picture, groups
from adframe.reports.words import in_words, tables, words

EXTRA = ("matplotlib", "jinja2")


@dataclass(frozen=True)
class Section:
    """One run on the page."""

    view: RunView
    words: list[str]
    tables: list[list[list[str]]]
    figures: dict[str, str]
    pictures: dict[str, list[Picture]]
    note: str


def report(runs: AnyPath | Iterable[AnyPath], out: AnyPath | None = None, **options: Any) -> Path:
    """Write a report of finished runs: one HTML file without links to other files.

    Args:
        runs: run folders.
        out: the file, which is replaced; ``report.html`` in the first run folder by default.
        options: plugins, without, allow_code, as for ``load_config``.

    Raises:
        UserError: matplotlib or jinja2 is missing, a folder holds no finished run, or the file
            cannot be written.
    """
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"report needs {' and '.join(missing)}: pip install 'adframe[report]'")
    folders = [as_path(run) for run in as_list(runs)]
    if not folders:
        raise UserError("no runs")
    path = folders[0] / "report.html" if out is None else as_path(out)
    check_no_run_file(path)
    views = [gather(folder) for folder in folders]
    sections = [_section(view, options) for view in views]
    compared, reason = _compared(folders)
    atomic.write(path, _page(sections, compared, reason))
    return path


def _section(view: RunView, options: Mapping[str, Any]) -> Section:
    detector, note = _detector(view, options)
    album = Album(view, detector)
    scores = view.scores()
    figures: dict[str, str] = {}
    if len(scores) > 1 and len(scores["inliers"]):
        roc, precision = curves(scores)
        figures |= {"ROC curve": roc, "Precision and recall": precision}
    if len(scores["inliers"]):
        figures = {"Scores": histogram(scores, view.threshold), **figures}
    if loss := losses(view.log):
        figures["Loss during training"] = loss
    if curve := validated(view.log):
        figures["AUROC on validation images during training"] = curve
    pictures = album.pictures(groups(view))
    return Section(view, list(words(view)), tables(view), figures, pictures, note or album.note)


def _detector(view: RunView, options: Mapping[str, Any]) -> tuple[Detector | None, str]:
    """The detector of a run; or why it cannot be loaded."""
    try:
        return load(view.folder, **options), ""
    except (UserError, PluginFault) as error:
        return None, f"Without nearest images and maps, since the run cannot be loaded: {error}"


def _compared(folders: list[Path]) -> tuple[Comparison | None, str]:
    """The comparison of several runs; or why they cannot be compared."""
    if len(folders) < 2:
        return None, ""
    try:
        return compare(folders), ""
    except UserError as error:
        return None, str(error)


def _page(sections: list[Section], compared: Comparison | None, reason: str) -> str:
    from jinja2 import Environment, StrictUndefined

    text = (resources.files("adframe.reports") / "templates" / "report.html").read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["line"] = lambda value: one_line(in_words(value))
    page: str = environment.from_string(text).render(
        sections=sections, compared=compared, reason=reason, version=__version__
    )
    return page.encode("utf-8", "backslashreplace").decode()
