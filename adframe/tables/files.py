"""Finds table files and validates them; problems name file and line, as for configs."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from adframe.config.bundled import bundled_configs, find_config
from adframe.config.messages import problems_of
from adframe.config.option_types import Settings
from adframe.config.where import located
from adframe.config.yaml_tree import ConfigNode
from adframe.errors import UserError

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


def validated(node: ConfigNode, model: type[Model]) -> Model:
    """Validate the content of a composed file against a model.

    Raises:
        ConfigError: a line for each problem.
    """
    table = node.plain()
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise located(problems_of(error, model, table), node) from error
