"""From a validated config to components that fit together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from adframe.config.model import RunConfig
from adframe.config.schema import ComponentSpec, resolve
from adframe.errors import ConfigError, Path_, Problem
from adframe.interfaces import (
    Dataset,
    Loss,
    LossTerm,
    Method,
    MethodParts,
    Optimizer,
    Scorer,
    Shift,
)
from adframe.random import seed_of
from adframe.registry.loading import LoadedPlugins, load_plugins


@dataclass
class Assembly:
    """The components of a run, built; the method is set up and on the CPU."""

    dataset: Dataset
    outliers: list[Dataset]
    exposure: Dataset | None
    shifts: list[Shift]
    method: Method
    optimizer: Optimizer
    scorers: list[Scorer]


class _Builder:
    """Builds specs and keeps going after a refusal, so that all are told at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def __call__(self, spec: ComponentSpec, *path: str | int) -> Any:
        try:
            return spec.build(path)
        except ConfigError as error:
            self.problems += error.problems
            return None


def assemble(config: RunConfig, classes: int = 1) -> Assembly:
    """Build every component of a config and set the method up.

    Weights are drawn from the config's seed. Reads no data.

    Args:
        config: a validated config.
        classes: number of inlier classes, known once the data is.

    Raises:
        ConfigError: components refuse their options or do not fit together; all that can be
            found at once, located in the config's files.
    """
    torch.manual_seed(seed_of(config.seed, "weights"))
    build = _Builder()
    dataset = build(config.dataset, "dataset")
    outliers = [build(spec, "outliers", i) for i, spec in enumerate(config.outliers)]
    exposure = None
    if config.exposure is not None:
        exposure = build(config.exposure.dataset, "exposure", "dataset")
    backbone = build(config.backbone, "backbone")
    shifts = [build(spec, "shifts", i) for i, spec in enumerate(config.shifts)]
    schedule = build(config.schedule, "schedule")
    method = build(config.method, "method")
    optimizer = build(config.optimizer, "optimizer")
    scorers = [build(spec, "scorer", i) for i, spec in enumerate(config.scorer)]
    for index, term in enumerate(config.objective):
        build(term.loss, "objective", index, "loss")
    if not config.objective:
        build.problems.append(Problem(("objective",), "name at least one loss"))
    if schedule is not None and backbone is not None:
        try:
            schedule.stages(len(backbone.widths), 0.0)
        except ValueError as error:
            build.problems.append(Problem(("schedule",), str(error)))
    for index, scorer in enumerate(scorers):
        if exposure is None and scorer is not None and scorer.needs_exposed:
            say = f"{config.scorer[index].entry.name} compares with known outliers; set exposure"
            build.problems.append(Problem(("scorer", index), say))
    trained = config.exposure is not None and config.exposure.ratio > 0
    if trained and method is not None and not method.takes_exposed:
        say = f"{config.method.entry.name} learns from inliers alone"
        build.problems.append(Problem(("exposure",), say))
    if not build.problems:
        objective = [
            LossTerm(_maker(term.loss, index), term.stages, term.weight, term.loss.entry.name)
            for index, term in enumerate(config.objective)
        ]
        try:
            method.setup(MethodParts(backbone, shifts, schedule, objective, classes))
        except ValueError as error:
            build.problems.append(Problem(("objective",), str(error)))
        except ConfigError as error:
            build.problems += error.problems
    if not build.problems:
        build.problems += _missing_outputs(config, method, scorers)
    if build.problems:
        raise config.located(ConfigError(build.problems))
    return Assembly(dataset, outliers, exposure, shifts, method, optimizer, scorers)


def _maker(spec: ComponentSpec, index: int) -> Callable[[], Loss]:
    path: Path_ = ("objective", index, "loss")
    return lambda: spec.build(path)


def _missing_outputs(config: RunConfig, method: Method, scorers: list[Scorer]) -> list[Problem]:
    """What a scorer wants to see and the method, as it was set up, does not give."""
    offered = method.outputs()
    return [
        Problem(
            ("scorer", index),
            f"{config.scorer[index].entry.name} needs '{name}', "
            f"which is not trained; there is: {', '.join(offered)}",
        )
        for index, scorer in enumerate(scorers)
        for name in scorer.view_spec().outputs
        if name not in offered
    ]


def build(kind: str, table: str | Mapping[str, Any], loaded: LoadedPlugins | None = None) -> Any:
    """Any component, alone: ``build("loss", {"name": "uniclr", "temperature": 0.5})``.

    Raises:
        ConfigError: the name or the options are wrong.
    """
    loaded = loaded or load_plugins()
    return resolve(kind, table, loaded.registry).build()
