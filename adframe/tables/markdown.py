"""A table as Markdown, also readable on a terminal, from the content of ``table.json``."""

from __future__ import annotations

import statistics
from typing import Any

NONE = "-"


def markdown(facts: dict[str, Any]) -> str:
    """The whole table: its budget, parts, notes, values by task, and failed cells."""
    lines = [f"# {facts['table']}: {facts['title']}", "", *_about(facts), ""]
    notes: dict[str, int] = {}
    for part in facts["parts"]:
        heading = [f"## {part['caption']}", ""] if part["caption"] else []
        lines += [*heading, *_part(part, notes, published=bool(facts["published"])), ""]
    lines += [f"{number}. {note}" for note, number in notes.items()]
    lines += [""] if notes else []
    several = facts["tasks"] and len(facts["tasks"][0]["tasks"]) > 1
    if several:
        for what in dict.fromkeys((row["metric"], row["scorer"]) for row in facts["tasks"]):
            rows = [row for row in facts["tasks"] if (row["metric"], row["scorer"]) == what]
            named = ", ".join(filter(None, what))
            lines += [f"## By task{f': {named}' if named else ''}", "", *_by_task(rows), ""]
    failed = [run for run in facts["runs"] if run["status"] == "failed"]
    if failed:
        lines += ["## Failed", ""]
        lines += [f"- {run['cell']}: {run['reason']}" for run in failed]
        lines += [""]
    return "\n".join(lines)


def _about(facts: dict[str, Any]) -> list[str]:
    budget, published = facts["budget"], facts["published"]
    done = sum(run["status"] == "done" for run in facts["runs"])
    text = f"Budget `{budget['name']}`: no cells to run."
    if facts["runs"]:
        seeds = ", ".join(map(str, budget["seeds"]))
        text = (
            f"Budget `{budget['name']}`: **{_numbers(budget['epochs'])} "
            f"epoch{'' if budget['epochs'] == [1] else 's'}, {_numbers(budget['images'])} training "
            f"images** a run, seeds {seeds}; {done} of {len(facts['runs'])} runs done."
        )
        text = " ".join([text, *filter(None, [budget["note"], *budget["data"]])])
    lines = [text]
    if published:
        lines += ["", f"Published: {published['source']}; {published['protocol']}."]
        if facts["runs"] and not budget["as_published"]:
            lines[-1] += " **This budget is not the published one**: differences measure it too."
        columns = [column for part in facts["parts"] for column in part["columns"]]
        if any(map(_in_part, columns)):
            lines[-1] += " Part of a column's tasks is compared with the figure for all of them."
    if facts["runs"]:
        more = " / published / difference" if published else ""
        lines += ["", f"{_figures(facts)} in percent: ours ± sd over seeds{more}."]
    below = sum(run["below_floor"] for run in facts["runs"])
    if below:
        text = f"**{below} of {done} cells are below the raw-pixel floor**: there, comparing pixels"
        lines += ["", f"{text} with the training images gives a higher AUROC."]
    return lines


def _in_part(column: dict[str, Any]) -> bool:
    """Whether a column is measured on some of its tasks only."""
    return not column["stand_in"] and 0 < len(column["tasks"]) < column["of"]


def _figures(facts: dict[str, Any]) -> str:
    """What the columns show: ``AUROC``, or each column's figure if one names another."""
    columns = [column for part in facts["parts"] for column in part["columns"]]
    if not any(column["metric"] or column["scorer"] for column in columns):
        return "AUROC"
    named = [
        f"{column['title']}: {column['metric'] or 'mean AUROC'}"
        f"{' of ' + column['scorer'] if column['scorer'] else ''}"
        for column in columns
    ]
    return f"Figures ({', '.join(named)})"


def _numbers(values: list[int]) -> str:
    if len(values) > 3:
        return f"{values[0]:,} to {values[-1]:,}"
    return " or ".join(f"{value:,}" for value in values)


def _part(part: dict[str, Any], notes: dict[str, int], published: bool) -> list[str]:
    head = ["", "", "epochs", "images"]
    for column in part["columns"]:
        note = ""
        if column["stand_in"]:
            note = f" ({', '.join(column['tasks'])} in its place)"
        elif _in_part(column):
            note = f" ({len(column['tasks'])} of {column['of']} tasks)"
        head.append(column["title"] + note)
    rows = []
    for row in part["rows"]:
        marks = [str(notes.setdefault(note, len(notes) + 1)) for note in row["notes"]]
        mark = f" [{','.join(marks)}]" if marks else ""
        ran = any(cell["runs"] for cell in row["cells"])
        budget = [_numbers(row[key]) if ran else NONE for key in ("epochs", "images")]
        cells = [_cell(cell) if published else _ours(cell) for cell in row["cells"]]
        rows.append([row["id"], row["title"] + mark, *budget, *cells])
    return _grid(head, rows)


def _ours(cell: dict[str, Any]) -> str:
    if cell["mean"] is not None:
        return _spread(cell["mean"], cell["sd"])
    if cell["failed"]:
        return f"({cell['failed']} of {cell['runs']} failed)"
    return NONE if cell["done"] == cell["runs"] else f"({cell['done']} of {cell['runs']} runs)"


def _cell(cell: dict[str, Any]) -> str:
    published = NONE
    if cell["published"] is not None:
        published = _spread(cell["published"], cell["published_sd"])
    difference = NONE if cell["difference"] is None else f"{cell['difference']:+.1f}"
    return f"{_ours(cell)} / {published} / {difference}"


def _spread(mean: float, sd: float | None) -> str:
    return f"{mean:.1f}" if sd is None else f"{mean:.1f} ± {sd:.1f}"


def _by_task(rows: list[dict[str, Any]]) -> list[str]:
    names = list(rows[0]["tasks"])
    body = []
    for row in rows:
        cells = [row["tasks"][name] for name in names]
        shown = [_so_far(cell) for cell in cells]
        body.append([row["row"], *shown])
    return _grid(["", *names], body)


def _so_far(cell: dict[str, Any]) -> str:
    """Text of a value, or of the mean over the seeds that are done, with their number."""
    if cell["mean"] is not None or not cell["seeds"]:
        return _ours(cell)
    return f"{statistics.fmean(cell['seeds'].values()):.1f} {_ours(cell)}"


def _grid(head: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table with aligned columns."""
    clean = [[text.replace("|", "\\|") for text in row] for row in (head, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*clean, strict=True)]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in clean
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
