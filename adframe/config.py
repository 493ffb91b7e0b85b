"""A run as one validated config: reading it, what it may say, and where each value came from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval
from pydantic import BeforeValidator, PrivateAttr, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML

from adframe import tree
from adframe.errors import ConfigError, Problem, UserError
from adframe.plugins import Host, load_plugins
from adframe.schema import _NESTED, DEFAULT, Component, Settings, Spec, resolve, validate

Weight = Annotated[float, Ge(0)]


class Term(Settings):
    """One term of the objective: which loss, at which stages, how heavy."""

    loss: Annotated[Spec, Component("loss")]
    stages: list[Annotated[int, Ge(1)]] | None = None
    weight: Weight | list[Weight] = 1.0


class Train(Settings):
    """How long and on what the network is trained."""

    epochs: Annotated[int, Interval(ge=1, le=1_000_000)]
    batch_size: Annotated[int, Interval(ge=2, le=65_536)] = 32
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    device: str = "auto"
    checkpoint_every: Annotated[int, Ge(0)] = 50


def _one_or_many(value: Any, info: ValidationInfo) -> list[Spec]:
    """Scorers as a list; a single one keeps its place in the file (``scorer``, no index)."""
    problems, specs = [], []
    for index, item in enumerate(value if isinstance(value, list) else [value]):
        try:
            specs.append(resolve("scorer", item, info.context))
        except ConfigError as error:
            at = (index,) if isinstance(value, list) else ()
            problems += [Problem((*at, *sub.path), sub.message) for sub in error.problems]
    if problems or not specs:
        problems = problems or [Problem((), "name at least one scorer")]
        raise PydanticCustomError(_NESTED, "", {"problems": problems})
    return specs


_SCORER = {"x-adframe-kind": "scorer"}
Scorers = Annotated[
    list[Annotated[Spec, Component("scorer")]],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [_SCORER, {"type": "array", "items": _SCORER, "minItems": 1}]}),
]


class RunConfig(Settings):
    """Everything a run depends on. ``load_config`` makes it."""

    seed: Annotated[int, Interval(ge=0, lt=2**63)] = 0
    dataset: Annotated[Spec, Component("dataset")]
    outliers: list[Annotated[Spec, Component("dataset")]] = []
    backbone: Annotated[Spec, Component("backbone")] = DEFAULT
    shifts: list[Annotated[Spec, Component("shift")]] = []
    schedule: Annotated[Spec, Component("schedule")] = DEFAULT
    objective: list[Term]
    method: Annotated[Spec, Component("method")] = DEFAULT
    scorer: Scorers = DEFAULT
    optimizer: Annotated[Spec, Component("optimizer")] = DEFAULT
    train: Train
    plugins: list[str] = []

    _host: Host = PrivateAttr()
    _tree: tree.Node = PrivateAttr()
    _source: str = PrivateAttr()

    @property
    def host(self) -> Host:
        """The plugins this config was validated with."""
        return self._host

    @property
    def source(self) -> str:
        """The file it was read from."""
        return self._source

    def dump(self) -> dict[str, Any]:
        """The config as plain values, every default included."""
        return {name: _plain(getattr(self, name)) for name in type(self).model_fields}

    def yaml(self) -> str:
        """The config as a file that runs again as it is."""
        stream = io.StringIO()
        writer = YAML(typ="safe", pure=True)
        writer.default_flow_style = False
        writer.sort_base_mapping_type_on_output = False
        writer.dump(self.dump(), stream)
        return stream.getvalue()

    def located(self, error: ConfigError) -> ConfigError:
        """The same problems, each with where the config was written."""
        return ConfigError(_locate(problem, self._tree) for problem in error.problems)


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.dump()
    if isinstance(value, Settings):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def load_config(
    path: str | Path,
    settings: Sequence[str] = (),
    *,
    plugins: Sequence[str | Path] = (),
    without: Iterable[str] = (),
    allow_code: bool = False,
    host: Host | None = None,
) -> RunConfig:
    """Read, compose and validate a config.

    Args:
        path: a YAML or JSON file.
        settings: overrides, ``a.b=VALUE`` with VALUE as YAML, applied in order.
        plugins: one-file plugins to load beside the installed ones.
        without: names of plugins to leave out.
        allow_code: load the files that the config's own ``plugins:`` names; without it such a
            config is refused, since a config may come from anywhere.
        host: plugins already loaded, in place of all that.

    Raises:
        ConfigError: every problem found, one line each, with file and line.
        UserError: a file cannot be read.
    """
    node = compose(Path(path))
    for setting in settings:
        node = tree.set_value(node, setting)
    return validate_tree(node, str(path), plugins, without, allow_code, host)


def validate_tree(
    node: tree.Node,
    source: str,
    plugins: Sequence[str | Path] = (),
    without: Iterable[str] = (),
    allow_code: bool = False,
    host: Host | None = None,
) -> RunConfig:
    """A config from its composed tree; see ``load_config``."""
    table = node.plain()
    wanted = table.get("plugins", [])
    wanted = [item for item in wanted if isinstance(item, str)] if isinstance(wanted, list) else []
    files = {str(Path(file).resolve()): file for file in plugins}
    asked = {str((Path(source).parent / file).resolve()): file for file in wanted}
    strange = [file for full, file in asked.items() if full not in files]
    if strange and not allow_code:
        line = node.origin_of(["plugins"])
        raise ConfigError(
            Problem(("plugins",), f"would run {file}; pass --allow-code if you trust it", line)
            for file in strange
        )
    every = {**files, **asked}
    host = host or load_plugins(list(every), without)
    try:
        fields = validate(RunConfig, table, host.registry)
    except ConfigError as error:
        raise ConfigError(_locate(problem, node) for problem in error.problems) from None
    config = RunConfig.model_construct(**{**fields, "plugins": list(every)})
    config._host, config._tree, config._source = host, node, source
    return config


def compose(path: Path, above: tuple[Path, ...] = ()) -> tree.Node:
    """The tree of a file laid upon all it ``extends``, base first.

    Raises:
        UserError: a file cannot be read, or extends itself.
    """
    node = tree.read_file(path)
    extends = node.value.pop("extends", None)
    if extends is None:
        return node
    items = extends.value if isinstance(extends.value, list) else [extends]
    base: tree.Node | None = None
    for item in items:
        if not isinstance(item.value, str):
            raise UserError(f"{item.origin}: extends: expected a path or a list of paths")
        file = path.parent / item.value
        if not file.is_file():
            raise UserError(f"{item.origin}: extends: no such file: {file}")
        chain = (*above, path)
        if file.resolve() in [link.resolve() for link in chain]:
            cycle = " -> ".join(str(link) for link in (*chain, file))
            raise UserError(f"{item.origin}: extends: a file extends itself: {cycle}")
        below = compose(file, chain)
        base = tree.merge(base, below) if base else below
    return tree.merge(base, node) if base else node


def _locate(problem: Problem, node: tree.Node) -> Problem:
    return Problem(problem.path, problem.message, node.origin_of(problem.path))


def from_mapping(table: Mapping[str, Any], host: Host | None = None) -> RunConfig:
    """A config from plain values, as a test or a notebook has them."""
    import json

    node = tree.parse(json.dumps(table), "config")
    return validate_tree(node, "config", host=host)
