"""Builds the components of a run from a validated config."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from adframe.config.model import RunConfig
from adframe.config.schema import resolve
from adframe.config.sections import Validation
from adframe.config.specs import ComponentSpec
from adframe.engine import returned, returned_images
from adframe.engine.features import PIXELS
from adframe.engine.misfits import group_problems, warn_of_ignored
from adframe.engine.returned import expect, requested
from adframe.engine.set_names import set_names
from adframe.engine.symmetries import confused_shifts
from adframe.errors import ConfigError, KeyPath, Problem
from adframe.interfaces import (
    Dataset,
    Loss,
    LossTerm,
    Method,
    MethodParts,
    Metric,
    Observer,
    Optimizer,
    Scorer,
    Shift,
)
from adframe.random import seed_of
from adframe.registry.loading import LoadedPlugins, load_plugins


@dataclass
class Assembly:
    """The built components of a run, on the CPU. ``set_up`` prepares the method for training."""

    dataset: Dataset
    outliers: list[Dataset]
    exposure: Dataset | None
    parts: MethodParts
    method: Method
    optimizers: dict[str, Optimizer]  #: by group of parameters; ``""`` is for all groups
    scorers: list[Scorer]
    metrics: list[Metric] = field(default_factory=list)
    observers: list[Observer] = field(default_factory=list)
    anomalies: Shift | None = None  #: makes anomalies of validation inliers
    judged_by: list[Dataset] = field(default_factory=list)  #: with anomalies for validation

    @property
    def shifts(self) -> Sequence[Shift]:
        """The shifting transformations, in the order of the config."""
        return self.parts.shifts

    def optimizer(self, group: str) -> Optimizer:
        """The optimizer of a group of parameters."""
        return self.optimizers.get(group) or self.optimizers[""]


def assemble(
    config: RunConfig, classes: int | None = None, image_size: tuple[int, int] | None = None
) -> Assembly:
    """Build every component of a config and set the method up, without reading data.

    Args:
        config: a validated config.
        classes: number of inlier classes of the data set; None if that is not known.
        image_size: height and width of the images; None if that is not known.

    Raises:
        ConfigError: components refuse their options or do not fit together; every problem found,
            with file and line.
    """
    with locating(config):
        assembly = construct(config)
        set_up(config, assembly, classes, image_size)
        return assembly


@contextmanager
def locating(config: RunConfig) -> Iterator[None]:
    """Add file and line to the problems of a ``ConfigError`` that is raised in this context."""
    try:
        yield
    except ConfigError as error:
        raise config.located(error) from error.__cause__


@contextmanager
def _collecting(problems: list[Problem], *path: str | int) -> Iterator[None]:
    """Collect errors of this context in ``problems``, so that all are reported together."""
    try:
        yield
    except ConfigError as error:
        problems += error.problems
    except ValueError as error:
        problems.append(Problem(path, str(error)))


def construct(config: RunConfig) -> Assembly:
    """Build every component; weights are drawn from the config's seed.

    Raises:
        ConfigError: components refuse their options; every problem found, not yet located.
    """
    torch.manual_seed(seed_of(config.seed, "weights"))
    problems: list[Problem] = []
    built: dict[KeyPath, tuple[ComponentSpec, Any]] = {}

    def build(spec: ComponentSpec, *path: str | int) -> Any:
        with _collecting(problems):
            return spec.build(path, built)

    dataset = build(config.dataset, "dataset")
    exposed, judge = config.exposure, config.validation or Validation()
    outliers = [build(spec, "outliers", i) for i, spec in enumerate(config.outliers)]
    with _collecting(problems):
        set_names(config, outliers)
    exposure = build(exposed.dataset, "exposure", "dataset") if exposed else None
    backbone = build(config.backbone, "backbone")
    shifts = [build(spec, "shifts", i) for i, spec in enumerate(config.shifts)]
    schedule = build(config.schedule, "schedule")
    method = build(config.method, "method")
    groups = config.optimizer if isinstance(config.optimizer, dict) else {"": config.optimizer}
    optimizers = {
        group: build(spec, "optimizer", *filter(None, [group])) for group, spec in groups.items()
    }
    scorers = [build(spec, "scorer", i) for i, spec in enumerate(config.scorer)]
    metrics = [build(spec, "metrics", i) for i, spec in enumerate(config.metrics)]
    observers = _checked(config, [build(o, "observers", i) for i, o in enumerate(config.observers)])
    anomalies = judge.anomalies and build(judge.anomalies, "validation", "anomalies")
    judged_by = [build(spec, "validation", "outliers", i) for i, spec in enumerate(judge.outliers)]
    objective, losses = [], []
    for index, term in enumerate(config.objective):
        loss = build(term.loss, "objective", index, "loss")
        losses.append(loss)
        make = _loss_maker(term.loss, index, loss)
        objective.append(LossTerm(make, term.stages, term.weight, term.loss.entry.name))
    if method is not None and not objective and "objective" not in method.ignores:
        problems.append(Problem(("objective",), "name at least one loss"))
    if schedule is not None and backbone is not None:
        expect(backbone, returned_images.widths(getattr(backbone, "widths", None)))
        with _collecting(problems, "schedule"):
            count = len(backbone.widths)
            expect(schedule, returned.plan(schedule.stages(count, 0.0), count))
            expect(schedule, returned.plans(schedule.levels(count), count))
    for index, scorer in enumerate(scorers):
        if exposed is None and scorer is not None and scorer.needs_exposed:
            name = config.scorer[index].entry.name
            text = f"{name} needs known outliers; set exposure"
            problems.append(Problem(("scorer", index), text))
    trained = exposed is not None and exposed.ratio > 0
    if trained and method is not None and not method.takes_exposed:
        name = config.method.entry.name
        text = f"{name} cannot train on known outliers; set ratio: 0"
        problems.append(Problem(("exposure",), text))
    if not problems:
        problems += confused_shifts(config, shifts, losses, method, scorers, built)
    if problems:
        raise ConfigError(problems)
    parts = MethodParts(backbone, shifts, schedule, objective, classes=1)
    return Assembly(
        dataset, outliers, exposure, parts, method, optimizers, scorers, metrics, observers,
        anomalies, judged_by,
    )  # fmt: skip


def _checked(config: RunConfig, built: list[Observer]) -> list[Observer]:
    for observer in filter(None, built):  # None is one that could not be built
        config.loaded.check_observer(observer)
    return built


def set_up(
    config: RunConfig,
    assembly: Assembly,
    classes: int | None,
    image_size: tuple[int, int] | None = None,
) -> None:
    """Set the method up, and check that it offers what scorers and optimizers need.

    Args:
        config: the config.
        assembly: what ``construct`` built of it.
        classes: number of inlier classes; None if that is not known.
        image_size: height and width of the images; None if that is not known.

    Raises:
        ConfigError: components do not fit together, or not the number of classes; every problem
            found, not yet located.
    """
    problems: list[Problem] = []
    with _collecting(problems, "objective"):
        parts = replace(assembly.parts, classes=classes or 1, image_size=image_size)
        assembly.method.setup(parts)
    offered: Sequence[str] = () if problems else assembly.method.outputs()
    if not problems:
        expect(assembly.method, returned.outputs(offered))
        problems += group_problems(config, assembly.method)
    for index, scorer in enumerate(assembly.scorers if offered else ()):
        name = config.scorer[index].entry.name
        known = ", ".join(offered)
        texts = [
            f"{name} needs '{output}', which the method does not train; available: {known}"
            for output in requested(scorer).outputs
            if output not in (*offered, PIXELS) and requested(scorer).compute is None
        ]
        count = len(assembly.parts.backbone.widths)
        texts += [
            f"{name} needs stage {stage}, but the network has {count} stages"
            for stage in requested(scorer).stages
            if stage > count
        ]
        if not isinstance(assembly.method, scorer.needs_method):
            texts.append(f"{name} needs a method of class {scorer.needs_method.__qualname__}")
        if scorer.needs_classes and classes == 1:
            texts.append(f"{name} needs several labelled inlier classes; the data set has one")
        problems += [Problem(("scorer", index), text) for text in texts]
    if problems:
        raise ConfigError(problems)
    views = [scorer.view_spec() for scorer in assembly.scorers]
    warn_of_ignored(config, assembly.method, views)


def _loss_maker(spec: ComponentSpec, index: int, first: Loss) -> Callable[[], Loss]:
    """Function that returns the loss already built, then builds a new one at each call."""
    ready = [first]

    def make() -> Loss:
        loss: Loss = ready.pop() if ready else spec.build(("objective", index, "loss"))
        returned.check_loss(loss)
        return loss

    return make


def build(kind: str, table: str | Mapping[str, Any], loaded: LoadedPlugins | None = None) -> Any:
    """Build one component: ``build("loss", {"name": "uniclr", "temperature": 0.5})``.

    Raises:
        ConfigError: the name or the options are wrong.
    """
    loaded = loaded or load_plugins()
    return resolve(kind, table, loaded.registry).build()
