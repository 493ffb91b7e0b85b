"""Where table files are, and how one is read: located problems, as for configs."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from adframe.config.bundled import configs_folder
from adframe.config.compose import compose
from adframe.config.messages import problems_of
from adframe.config.schema import Settings
from adframe.config.yaml_tree import ConfigNode
from adframe.errors import ConfigError, Problem, UserError, did_you_mean

Model = TypeVar("Model", bound=Settings)


def find_table(name: str) -> Path:
    """The file of a bundled table, or of a path to one.

    Raises:
        UserError: there is no such table; names the nearest.
    """
    known = {path.stem: path for path in sorted((configs_folder() / "tables").glob("*.yaml"))}
    if name in known:
        return known[name]
    if Path(name).is_file():
        return Path(name)
    hint = did_you_mean(name, known)
    raise UserError(f"no table or table file '{name}'{hint} (there is: {', '.join(known)})")


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
