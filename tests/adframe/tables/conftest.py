"""A small table, and fake runs of its cells."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adframe.interfaces import Outcome, Report
from adframe.io.locks import FolderLock
from adframe.jobs import job
from adframe.tables.definition import read_table
from adframe.tables.grid import Grid, make_grid

PUBLISHED = """
source: Nobody, Table 9
protocol: 9,000 epochs, three trials
parts:
  all:
    caption: Toys
    mean: mean
    columns: {left: Left, right: Right, mean: Mean}
    rows:
      plain: {method: Plain, auroc: [80.0, 90.0, 85.0], sd: [0.5, 0.4, null]}
      soft: {method: Soft, auroc: [90.0, 91.0, 90.5], comparable: false, note: another measure}
      rival: {method: Rival, auroc: [70.0, null, 75.0], note: one figure is lost}
"""

TABLE = """
title: toys
published: published.yaml
data:
  shapes: [{}]
tasks:
  shapes: {data: shapes, images: 8, size: 16, vary: dataset.normal, values: [left, right]}
columns:
  left: {tasks: [left]}
  right: {tasks: [right]}
  mean: {tasks: [shapes]}
rows:
  plain: {config: TOY}
  soft: {config: TOY, set: {objective.1.loss.soft_aggregation: positives}}
budgets:
  smoke: {note: Tiny., seeds: [0, 1], set: {train: {epochs: 1}}}
  part: {seeds: [0], set: {train: {epochs: 1}}, tasks: [left]}
"""


@pytest.fixture
def table_file(toy_file: Path, tmp_path: Path) -> Path:
    """The table of toys in a file of its own."""
    (tmp_path / "published.yaml").write_text(PUBLISHED, encoding="utf-8")
    path = tmp_path / "toys.yaml"
    path.write_text(TABLE.replace("TOY", str(toy_file)), encoding="utf-8")
    return path


@pytest.fixture
def grid_of(loaded: Any, tmp_path: Path) -> Callable[..., Grid]:
    """``grid_of(file, budget, ...)``: the grid of a table file, its cells below ``out``."""

    def grid_of(path: Path, budget: str = "smoke", **options: Any) -> Grid:
        root = options.pop("root", tmp_path)
        return make_grid(read_table(path), budget, tmp_path / "out", root, loaded, **options)

    return grid_of


def auroc_of(config: Any) -> float:
    """What a pretended run scores: by row, class and seed, all different."""
    soft = config.dump()["objective"][1]["loss"]["soft_aggregation"] == "positives"
    left = config.dump()["dataset"]["normal"] == "left"
    return 0.8 + 0.1 * soft + 0.05 * left + 0.01 * config.seed


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, bool]]:
    """Replaces training by ``auroc_of``; returns the folders of the runs as they are made."""
    calls: list[tuple[Path, bool]] = []

    def run(config: Any, lock: FolderLock, resume: bool = False) -> Report:
        out = lock.folder
        assert out is not None
        calls.append((out, resume))
        out.mkdir(parents=True, exist_ok=True)
        (out / "config.yaml").write_text(config.yaml())
        (out / "environment.json").write_text(json.dumps({"train_images": 7}))
        value = auroc_of(config)
        result = {
            "auroc": {"image_folder": value},
            "mean_auroc": value,
            "floor": {"cosine": {"mean_auroc": 0.5}},
            "epochs": config.train.epochs,
            "seconds": 1.0,
        }
        (out / "result.json").write_text(json.dumps(result))
        return Report({"nearest": Outcome({"image_folder": value}, {})}, {}, 1.0, 1, out)

    monkeypatch.setattr(job, "run_locked", run)
    return calls
