"""Toy components of every kind, and plugins that hold the components of a test."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Interval
from torch import nn

from adframe import hookimpl
from adframe.config.model import RunConfig, validate_tree
from adframe.config.yaml_tree import parse, to_yaml
from adframe.interfaces import (
    Augmentation,
    Backbone,
    Count,
    Dataset,
    Fraction,
    Loss,
    Method,
    NonNegative,
    Optimizer,
    Positive,
    Schedule,
    Scorer,
    Shift,
    Stage,
)
from adframe.registry.loading import LoadedPlugins, Source, load_plugins
from adframe.registry.registry import Plugin

Component = tuple[Any, ...]  # kind, name, target, and True for the kind's default


class ToyData(Dataset):
    """Toy data set."""

    def __init__(
        self, size: Annotated[int, Interval(ge=1, le=64)] = 8, root: Path | None = None
    ) -> None:
        self.size, self.root = size, root

    def load(self, seed):
        raise NotImplementedError


class ToyNet(Backbone):
    """Toy network."""

    def __init__(self, stages: Count = 4) -> None:
        super().__init__()
        self.widths = [1] * stages

    def forward(self, images, depth=None):
        raise NotImplementedError


class ToyShift(Shift):
    """Toy shift."""

    def __init__(self, angles: list[Literal[90, 180, 270]] | None = None) -> None:
        self.variants = len(angles or [90])

    def __call__(self, images, variant):
        return images


class ToyAugmentation(Augmentation):
    """Toy augmentation."""

    def __init__(self, chance: Fraction = 0.5) -> None:
        if chance == 0.25:
            raise ValueError("a quarter is refused")
        self.chance = chance

    def __call__(self, images, keys, strength=1.0):
        return images


class ToySchedule(Schedule):
    """Toy schedule."""

    def __init__(
        self,
        augmentation: Augmentation,
        extra: Augmentation | None = None,
        strengths: list[Fraction] | None = None,
    ) -> None:
        self.augmentation, self.extra, self.strengths = augmentation, extra, strengths

    def stages(self, levels, progress):
        if self.strengths is not None and len(self.strengths) != levels:
            raise ValueError(f"{len(self.strengths)} strengths for {levels} stages")
        return [Stage(levels, self.augmentation)]


class ToyLoss(Loss):
    """Toy loss."""

    def __init__(
        self,
        temperature: Positive = 0.5,
        mode: Literal["plain", "softly", "hardly"] = "plain",
        margin: NonNegative = 0.0,
        symmetric: bool = False,
        label: str = "",
        scale: tuple[float, float] = (0.5, 1.0),
    ) -> None:
        super().__init__()
        if margin == 7:
            raise ValueError("seven is refused")
        self.temperature, self.scale = temperature, scale

    def forward(self, embeddings, views):
        return embeddings.sum()


class ToyMethod(Method):
    """Toy method: refuses an objective for a stage that is not scheduled."""

    def setup(self, parts):
        trained = [stage.level for stage in parts.schedule.stages(len(parts.backbone.widths), 0)]
        for term in parts.objective:
            if set(term.stages or trained) - set(trained):
                raise ValueError(f"stages {term.stages} are not all among {trained}")
        self.losses = nn.ModuleList([term.loss() for term in parts.objective])

    def step(self, batch, progress):
        raise NotImplementedError

    def embed(self, images):
        raise NotImplementedError


class ToyOptimizer(Optimizer):
    """Toy optimizer."""

    def build(self, parameters):
        raise NotImplementedError


class ToyScorer(Scorer):
    """Toy scorer."""

    def __init__(self, views: Annotated[int, Interval(ge=1, le=100)] = 1) -> None:
        if views == 13:
            raise ValueError("thirteen is refused")
        self.views = views

    def fit(self, features):
        raise NotImplementedError

    def score(self, features):
        raise NotImplementedError


class ToyWrap(ToyScorer):
    """Toy scorer around another."""

    def __init__(self, of: Scorer, also: Scorer | None = None) -> None:
        self.of, self.also = of, also


class ToyMean(ToyScorer):
    """Toy scorer of several."""

    def __init__(self, of: list[Scorer]) -> None:
        self.of = of


TOYS: list[Component] = [
    ("dataset", "toy_data", ToyData),
    ("backbone", "toy_net", ToyNet, True),
    ("shift", "toy_shift", ToyShift),
    ("augmentation", "toy_augmentation", ToyAugmentation, True),
    ("schedule", "toy_schedule", ToySchedule, True),
    ("loss", "toy_loss", ToyLoss),
    ("method", "toy_method", ToyMethod, True),
    ("optimizer", "toy_optimizer", ToyOptimizer, True),
    ("scorer", "toy_scorer", ToyScorer, True),
    ("scorer", "toy_wrap", ToyWrap),
    ("scorer", "toy_mean", ToyMean),
]


def _source(name: str, *components: Component) -> Source:
    @hookimpl
    def adframe_register(add: Any) -> None:
        for kind, called, target, *default in components:
            add(kind, called, target, default=bool(default))

    ours = name in ("toys", "test")  # whose components have plain names in the config of a run
    plugin = Plugin(name=name, version="1", origin=f"{name} of a test", bundled=ours)
    module = ModuleType(name)
    vars(module)["adframe_register"] = adframe_register
    return Source(plugin, lambda: module)


@pytest.fixture(scope="session")
def source_of() -> Callable[..., Source]:
    """``source_of(name, (kind, name, target), ...)``: a plugin that offers these."""
    return _source


@pytest.fixture(scope="session")
def host_of() -> Callable[..., LoadedPlugins]:
    """``host_of((kind, name, target), ...)``: a loaded of one plugin, called ``test``."""
    return lambda *components: load_plugins(sources=[_source("test", *components)])


@pytest.fixture(scope="session")
def toy_source() -> Source:
    """A plugin with a toy of each kind."""
    return _source("toys", *TOYS)


@pytest.fixture(scope="session")
def toys(toy_source: Source) -> LoadedPlugins:
    """A loaded of toys alone."""
    return load_plugins(sources=[toy_source])


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """``write(text, name)``: a file in the test's folder, named as from inside it."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "x.yaml") -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[str], None]:
    """``logged(pattern)``: one status line was logged since the last call, and it matches."""

    def check(pattern: str) -> None:
        (message,) = caplog.messages
        assert re.search(pattern, message)
        assert {record.name for record in caplog.records} == {"adframe"}
        caplog.clear()

    return check


@pytest.fixture(scope="session")
def from_mapping() -> Callable[..., RunConfig]:
    """Makes a config of plain values."""

    def make(table: dict[str, Any], loaded: LoadedPlugins) -> RunConfig:
        node = parse(json.dumps(table, ensure_ascii=False), "config")
        return validate_tree(node, "config", loaded=loaded)

    return make


class Terminal(io.StringIO):
    def isatty(self):
        return True

    @property
    def text(self):
        return re.sub(r"\x1b\[[\d;]*m", "", self.getvalue())


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    return Terminal()


RUN = """
seed: {seed}
dataset: {{name: photos, root: {root}, normal: {normal}}}
method: {{name: contrast, views: 2}}
objective:
- loss: {{name: pull, temperature: 0.5}}
  weight: 1.0
- loss: {{name: push}}
scorer:
- name: near
  k: 3
- name: far
optimizer: {{name: step, lr: {lr}}}
train: {{epochs: {epochs}, device: cpu}}
plugins: []
"""


@pytest.fixture
def fake_run() -> Callable[..., Path]:
    """``fake_run(folder, scores, ...)``: a run folder with a result, as if it had been trained.

    ``scores`` is set -> scores of its images; without it the run is half-finished.
    """

    def fake_run(
        folder: Path,
        scores: dict[str, list[float]] | None = None,
        *,
        seed: int = 0,
        normal: str = "good",
        epochs: int = 4,
        lr: float = 0.1,
        root: str = "/data",
        auroc: float = 0.75,
    ) -> Path:
        folder.mkdir(parents=True)
        node = parse(RUN.format(seed=seed, normal=normal, epochs=epochs, lr=lr, root=root), "a run")
        (folder / "config.yaml").write_text(to_yaml(node.plain()), encoding="utf-8")
        (folder / "environment.json").write_text('{"train_images": 9}')
        (folder / "state.json").write_text('{"epoch": 2, "seconds": 5.5}')
        if scores is not None:
            lines = ["path,label,score,set,score_far"]
            for title, of in scores.items():
                label = int(title != "inliers")
                lines += [f"{title}/{at}.png,{label},{one},{title},0" for at, one in enumerate(of)]
            (folder / "scores.csv").write_text("\n".join(lines) + "\n")
            floor = {"cosine": {"mean_auroc": 0.5}}
            result = {"mean_auroc": auroc, "floor": floor, "seconds": 12.34, "epochs": epochs}
            (folder / "result.json").write_text(json.dumps(result))
        return folder

    return fake_run
