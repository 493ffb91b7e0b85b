"""The validated config of a run: keys, loading, and the origin of each value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval
from pydantic import Field, PrivateAttr

from adframe.config.compose import read_config
from adframe.config.plugin_files import load_plugins_of, plugin_files
from adframe.config.scalars import scalar_of
from adframe.config.schema import Component, validate
from adframe.config.sections import Decision, Exposure, Section, Start, Term, Train, Validation
from adframe.config.several import Optimizers, Scorers
from adframe.config.specs import USE_KIND_DEFAULT, ComponentSpec, plain
from adframe.config.where import as_written, located, once
from adframe.config.yaml_tree import ConfigNode, escaped, parse, to_yaml
from adframe.errors import ConfigError, KeyPath
from adframe.io.paths import AnyPath, as_list
from adframe.registry.loading import LoadedPlugins, excluded, installed, load_plugins


class RunConfig(Section):
    """Everything that a run depends on; made by ``load_config``."""

    seed: Annotated[int, Interval(ge=0, lt=2**63)] = 0
    """Decides every random number of the run: weights, order, augmentation, splits."""
    dataset: Annotated[ComponentSpec, Component("dataset", named=True)]
    """Images of what is normal to train on, and images to test on."""
    outliers: list[Annotated[ComponentSpec, Component("dataset", named=True)]] = Field(
        default_factory=list
    )
    """Data sets to test against, each with its own AUROC; ``set_name`` names one in the results."""
    exposure: Exposure | None = None
    """Known outliers to learn from (outlier exposure)."""
    backbone: Annotated[ComponentSpec, Component("backbone")] = USE_KIND_DEFAULT
    """The network."""
    start: Start | None = None
    """Weights that the network starts with, and which of its stages are frozen."""
    shifts: list[Annotated[ComponentSpec, Component("shift")]] = Field(default_factory=list)
    """Shifting transformations: each variant of each makes one class of virtual outliers."""
    schedule: Annotated[ComponentSpec, Component("schedule")] = USE_KIND_DEFAULT
    """Which stages of the network are trained, and with which augmentation."""
    objective: list[Term] = Field(default_factory=list)
    """What is minimised: a list of terms, each a loss with stages and weight; some methods need
    none."""
    method: Annotated[ComponentSpec, Component("method")] = USE_KIND_DEFAULT
    """How a batch becomes updates of the network."""
    scorer: Scorers = USE_KIND_DEFAULT
    """One scorer or a list; the first one is used by ``adframe score``."""
    metrics: list[Annotated[ComponentSpec, Component("metric")]] = Field(default_factory=list)
    """Metrics of each scorer in addition to AUROC."""
    decision: Decision | None = None
    """P-values, and which images are called anomalous; holds training images out."""
    validation: Validation | None = None
    """Images to judge the run by while it trains."""
    optimizer: Optimizers = USE_KIND_DEFAULT
    """How parameters move, and the learning rate over the run; or one for each group of parameters
    of the method, as ``{generator: {lr: 0.1}, ...}``."""
    train: Train
    """How long and on which device."""
    observers: list[Annotated[ComponentSpec, Component("observer")]] = Field(default_factory=list)
    """What watches the run: logs, or early stopping."""
    plugins: list[str] = Field(default_factory=list)
    """Files of plugins to load, relative to the config; needs ``--allow-code``."""

    _loaded: LoadedPlugins = PrivateAttr()
    _tree: ConfigNode = PrivateAttr()
    _source: str = PrivateAttr()

    def __repr__(self) -> str:
        names = f"{self.dataset.entry.name}, {self.backbone.entry.name}"
        return f"RunConfig({names}, {self.train.epochs} epochs, from {self.source})"

    __str__ = __repr__

    @property
    def loaded(self) -> LoadedPlugins:
        """Plugins with which this config was validated."""
        return self._loaded

    @property
    def source(self) -> str:
        """File that the config was read from, as shown in messages."""
        return self._source

    def dump(self) -> dict[str, Any]:
        """The config as plain values, every default included."""
        return {name: plain(getattr(self, name)) for name in type(self).model_fields}

    def yaml(self) -> str:
        """YAML text of the config, with all defaults; it can be run again."""
        return to_yaml(escaped(self.dump()))

    def written(self, path: KeyPath) -> str | None:
        """File and line, or ``--set``, that gives the value at ``path``; None for a default."""
        node = self._tree.find(as_written(path, self._tree))
        if node is None and path[-1:] == ("name",):  # a bare name is short for a mapping
            node = self._tree.find(as_written(path[:-1], self._tree))
            node = node if node is not None and isinstance(node.value, str) else None
        return None if node is None else node.origin

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the text, the files of plugins, and which installed plugins were excluded."""
        return _restored, (self.yaml(), self.source, tuple(self.plugins), excluded(self.loaded))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> RunConfig:
        """The same config: it is frozen, and its plugins are modules, which cannot be copied."""
        return self

    def located(self, error: ConfigError) -> ConfigError:
        """Add file and line to problems."""
        return located(error.problems, self._tree)


def load_config(
    path: str | Path,
    settings: str | Iterable[str] = (),
    *,
    plugins: AnyPath | Iterable[AnyPath] = (),
    without: str | Iterable[str] = (),
    allow_code: bool = False,
    loaded: LoadedPlugins | None = None,
) -> RunConfig:
    """Read, compose and validate a config.

    Args:
        path: a YAML or JSON file, or the name of a bundled config such as ``quickstart``.
        settings: override or overrides, ``a.b=VALUE`` with VALUE as YAML, applied in order.
        plugins: one-file plugin or plugins to load in addition to the installed ones. One takes
            the place of a file of that name which the config names and which is gone.
        without: name or names of plugins to exclude.
        allow_code: load the files that ``plugins:`` in the config names. Without it such a config
            is refused, because configs may come from people you do not know.
        loaded: plugins already loaded; replaces ``plugins``, ``without`` and ``allow_code``.

    Raises:
        ConfigError: every problem found, one line each, with file and line.
        UserError: a file cannot be read.
    """
    node, source = read_config(path, as_list(settings))
    return validate_tree(node, source, as_list(plugins), as_list(without), allow_code, loaded)


def validate_tree(
    node: ConfigNode,
    source: str,
    plugins: Sequence[AnyPath] = (),
    without: Iterable[str] = (),
    allow_code: bool = False,
    loaded: LoadedPlugins | None = None,
) -> RunConfig:
    """Validate a config after ``extends`` and ``--set`` are applied; see ``load_config``."""
    table = node.plain()
    if loaded is None:
        loaded = load_plugins_of(node, plugins, without, allow_code)
    while True:
        try:
            fields = validate(RunConfig, table, loaded.registry)
            break
        except ConfigError as error:
            read = [_read_variable(node, table, problem.path) for problem in error.problems]
            if not any(read):
                raise located(once(error.problems, loaded.registry.plugins), node) from None
    config = RunConfig.model_construct(**{**fields, "plugins": list(plugin_files(node, plugins))})
    config._loaded, config._tree, config._source = loaded, node, source
    return config


def _read_variable(node: ConfigNode, table: Any, path: KeyPath) -> bool:
    """Put the number, boolean or null in place of a variable's text that an option refuses.

    Args:
        node: the config, which knows what came from variables.
        table: the same as plain values; changed in place.
        path: where the problem is.

    Returns:
        whether the value has changed, so that it must be validated again.
    """
    path = as_written(path, node)
    found = node.find(path)
    if not path or found is None or not found.expanded:
        return False
    for part in path[:-1]:
        table = table[part]
    if not isinstance(table[path[-1]], str):  # read already, and still refused
        return False
    table[path[-1]] = scalar_of(found.value)
    return not isinstance(table[path[-1]], str)


def _restored(text: str, source: str, plugins: tuple[str, ...], without: tuple[str, ...]) -> Any:
    """The config that ``RunConfig.__reduce__`` has pickled; its values come from the text."""
    loaded = _loaded_again(plugins, without)
    return validate_tree(parse(text, source), source, plugins, loaded=loaded)


@cache
def _loaded_again(plugins: tuple[str, ...], without: tuple[str, ...]) -> LoadedPlugins:
    here = {source.plugin.key for source in installed()}
    return load_plugins(plugins, [key for key in without if key in here])
