"""Finds run folders and reads what they are, from a few small files; imports no torch."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

from adframe.config.yaml_tree import MAX_BYTES, has_part, parse
from adframe.errors import UserError
from adframe.io.folders import check_folder
from adframe.io.locks import LOCK
from adframe.io.read import read_bytes

MAX_JSON = 1 << 24  #: bytes of a JSON file of a run, 16 MiB
#: Files of a run; a folder with two of them is a run folder.
FILES = {
    *("config.yaml", "environment.json", "state.json", "result.json", "scores.csv"),
    *("metrics.jsonl", "training.csv", "model.safetensors", "state.safetensors", LOCK),
}
_SECTION = re.compile(r"^(?=[A-Za-z_\"'])", re.MULTILINE)


@dataclass(frozen=True)
class RunFacts:
    """What a run folder holds, as far as it can be read; None for what is not known.

    Attributes:
        name: the path of the folder below the one that was searched.
        data: name of the data set; ``normal`` is its option of this name.
        objective: names of the losses; ``scorer`` the names of the scorers.
        epochs: epochs trained, of ``of_epochs`` in the config.
        auroc: mean AUROC of the main scorer, 0..1; ``floor`` that of raw pixels (cosine).
        seconds: of training and evaluation so far.
        date: when the newest of its files was written, in local time.
        status: ``finished``, ``half-finished`` or ``damaged``; ``reason`` is the cause.
        config: values of the config that were wanted besides, by dotted key.
    """

    name: str
    data: str | None = None
    normal: str | None = None
    method: str | None = None
    objective: str | None = None
    scorer: str | None = None
    seed: int | None = None
    epochs: int | None = None
    of_epochs: int | None = None
    auroc: float | None = None
    floor: float | None = None
    seconds: float | None = None
    date: str | None = None
    status: str = "damaged"
    reason: str = ""
    config: dict[str, Any] = field(default_factory=dict)


def list_runs(root: Path, keys: Sequence[str] = ()) -> list[RunFacts]:
    """All runs in a folder and the folders below, by name; links are not followed.

    Args:
        root: the folder; it may be a run folder.
        keys: dotted keys of the config to be read, too.

    Raises:
        UserError: there is no such folder.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    return [
        RunFacts(_name(path, root), reason=reason) if reason else read_run(path, root, keys)
        for path, reason in find_runs(root)
    ]


def _name(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path != root else str(root)


def find_runs(root: Path) -> Iterator[tuple[Path, str]]:
    """Run folders below a folder, and folders that cannot be read, with the reason."""
    rest = [root]
    while rest:
        folder = rest.pop()
        try:
            with os.scandir(folder) as entries:
                found = {entry.name: entry for entry in entries}
            below = sorted(name for name, at in found.items() if at.is_dir(follow_symlinks=False))
        except OSError as error:
            yield folder, f"cannot be read: {error.strerror or error}"
            continue
        if len(found.keys() & FILES) > 1:
            yield folder, ""
        else:
            rest += [folder / name for name in reversed(below)]


def read_run(folder: Path, root: Path, keys: Sequence[str] = ()) -> RunFacts:
    """What one run folder holds; a file that cannot be read makes it ``damaged``."""
    facts: dict[str, Any] = {"name": _name(folder, root)}
    try:
        check_folder(folder)
        facts["date"] = _date(folder)
        facts |= _of_config(folder / "config.yaml", keys)
        state, result = (_json(folder / f"{name}.json") for name in ("state", "result"))
        of = result if result is not None else state or {}
        facts["seconds"] = _number(of.get("seconds"))
        facts["epochs"] = _whole(of.get("epochs", of.get("epoch")))
        if result is None:
            return RunFacts(**facts, status="half-finished")
        facts["auroc"] = _number(result.get("mean_auroc"))
        facts["floor"] = _number(_at(result, "floor", "cosine", "mean_auroc"))
        if not is_complete(result):
            failed = _at(result, "failed")
            why = "a scorer failed" if failed else "result.json: lacks the AUROC of the run"
            return RunFacts(**facts, status="half-finished" if failed else "damaged", reason=why)
        return RunFacts(**facts, status="finished")
    except UserError as error:
        return RunFacts(**facts, reason=str(error).removeprefix(f"{folder}{os.sep}"))
    except OSError as error:  # the folder may be listed, but its files may not be looked up
        return RunFacts(**facts, reason=f"cannot be read: {error.strerror or error}")


def is_complete(result: dict[str, Any]) -> bool:
    """Whether a ``result.json`` is one of the main scorer; without outliers it has no AUROC."""
    if isinstance(result.get("mean_auroc"), float):
        return True
    scorers, failed = result.get("scorers"), result.get("failed", {})
    main = next(iter(scorers), None) if isinstance(scorers, dict) else None
    works = isinstance(failed, dict) and main not in failed
    return main is not None and result.get("auroc") == {} and works


def read_sections(path: Path) -> dict[str, str]:
    """The text of each top-level key of a config that adframe wrote.

    Raises:
        UserError: the file cannot be read, or is not UTF-8.
    """
    try:
        text = read_bytes(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text") from error
    return {part.partition(":")[0]: part for part in _SECTION.split(text) if part.strip()}


def _of_config(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    sections = read_sections(path)

    def value(*keys: str) -> Any:
        try:
            return _at(_section(sections.get(keys[0], "")), *keys)
        except UserError as error:
            raise UserError(f"{path}: {str(error).partition(': ')[2]}") from error

    epochs = _whole(value("train", "epochs"))
    data = value("dataset", "name")
    if epochs is None or not isinstance(data, str):
        raise UserError(f"{path}: lacks {'train.epochs' if data else 'a data set'}")
    found = {key: value(*key.split(".")) for key in keys}
    return {
        "data": data,
        "normal": _text(value("dataset", "normal")),
        "method": _text(value("method", "name")),
        "objective": _names(value("objective"), "loss"),
        "scorer": _names(value("scorer")),
        "seed": _whole(value("seed")),
        "of_epochs": epochs,
        "config": {key: found[key] for key in keys if found[key] is not None},
    }


@lru_cache(maxsize=4096)  # the configs of many runs have most of their text in common
def _section(text: str) -> Any:
    """The mapping of one part of a config; parsing one of a whole file takes 40 times as long."""
    return parse(text, "", folder=Path()).plain()


def _at(value: Any, *keys: str) -> Any:
    """The value at a path of keys and indexes; None if there is none."""
    for key in keys:
        part = int(key) if isinstance(value, list) and key.isdecimal() and len(key) < 9 else key
        if not has_part(value, part):
            return None
        value = value[part]
    return value


def _names(value: Any, key: str | None = None) -> str | None:
    """``a+b`` from a list of components, or of mappings that have one each."""
    items = value if isinstance(value, list) else [value]
    parts = [_at(item, key) if key else item for item in items]
    names = [_at(part, "name") if isinstance(part, dict) else part for part in parts]
    return "+".join(name for name in names if isinstance(name, str)) or None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return ", ".join(map(str, value)) if isinstance(value, list) else json.dumps(value)


def _number(value: Any) -> float | None:
    """A number as it is, if it is finite; None for anything else."""
    right = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    return float(value) if right and isfinite(value) else None


def _whole(value: Any) -> int | None:
    return value if _number(value) is not None and isinstance(value, int) else None


def _date(folder: Path) -> str:
    paths = [folder / name for name in FILES - {LOCK}]
    newest = max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)
    return datetime.fromtimestamp(min(max(newest, 0.0), 4e9)).isoformat(" ", "minutes")


def _json(path: Path) -> dict[str, Any] | None:
    """The mapping in a JSON file; None if there is no file."""
    if not path.exists():
        return None
    try:
        value = json.loads(read_bytes(path, MAX_JSON))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: holds no mapping")
    return value
