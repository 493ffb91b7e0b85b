"""The names of the sets of outliers in results."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from adframe.config.model import RunConfig
from adframe.errors import ConfigError, Problem, one_line
from adframe.interfaces import Dataset


def own_title(config: RunConfig) -> str:
    """Name of the test outliers of the data set itself."""
    name = config.dataset.set_name or config.dataset.entry.name
    return "outliers" if name == "inliers" else name  # which names the set of test inliers


def set_names(config: RunConfig, outliers: Sequence[Dataset | None]) -> list[str]:
    """Name of each set of outliers: the config's ``set_name``, or the name of the component.

    Several sets of one component are called by ``Dataset.set_name``, such as their folders, and by
    numbers if these are equal, too.

    Raises:
        ConfigError: the config gives a name that another set has; not yet located.
    """
    taken, problems = ["inliers", own_title(config)], list[Problem]()
    if config.dataset.set_name == "inliers":
        text = "the normal test images are called 'inliers'"
        problems.append(Problem(("dataset", "set_name"), text))
    for index, spec in enumerate(config.outliers):
        if spec.set_name in taken:
            text = f"another set is called {spec.set_name!r}, too"
            problems.append(Problem(("outliers", index, "set_name"), text))
        elif spec.set_name:
            taken.append(spec.set_name)
    if problems:
        raise ConfigError(problems)
    components = [config.dataset.entry.name, *(spec.entry.name for spec in config.outliers)]
    names = []
    for index, (spec, dataset) in enumerate(zip(config.outliers, outliers, strict=True)):
        name = spec.set_name or spec.entry.name
        if not spec.set_name:
            if components.count(name) > 1:
                name = one_line(getattr(dataset, "set_name", "")) or name
            if name in taken:
                name = next(f"{name}_{n}" for n in count(index) if f"{name}_{n}" not in taken)
            taken.append(name)
        names.append(name)
    return names
