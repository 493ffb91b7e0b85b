"""Where table files are, and how one is read: located problems, as for configs."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from adframe.config.bundled import bundled_configs, find_config
from adframe.config.compose import compose
from adframe.config.messages import problems_of
from adframe.config.schema import Settings
from adframe.config.yaml_tree import ConfigNode
from adframe.errors import ConfigError, Problem, UserError

Model = TypeVar("Model", bound=Settings)


def find_table(name: str) -> Path:
    """File of a table, from its path or the name of a bundled table.

    Raises:
        UserError: there is no such table; suggests the nearest name.
    """
    try:
        return find_config(name, below="tables")
    except UserError as error:
        known = ", ".join(bundled_configs("tables"))
        raise UserError(f"{error} (bundled tables: {known})") from error


def read(path: Path, model: type[Model]) -> tuple[Model, ConfigNode]:
    """A validated file, and its tree, which knows where each value was written.

    Raises:
        UserError: it cannot be read, or says what it may not; a line for each problem.
    """
    node = compose(path)
    table = node.plain()
    try:
        return model.model_validate(table), node
    except ValidationError as error:
        raise located(problems_of(error, model, table), node) from error


def located(problems: list[Problem], node: ConfigNode) -> ConfigError:
    """The problems, each with where it was written."""
    return ConfigError(Problem(p.path, p.message, node.origin_of(p.path)) for p in problems)
