"""Checks what components return. The contract kit makes the same checks, and more.

Each function returns the problem as text, or an empty text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from adframe.errors import PluginFault
from adframe.interfaces import Loss, Scorer, Stage, Update, ViewSpec, Windows
from adframe.registry.registry import name_of


def expect(component: object, problem: str) -> None:
    """Check that there is no problem with what a component returned.

    Raises:
        PluginFault: there is one; the message names the component.
    """
    if problem:
        raise PluginFault(f"{name_of(component)}: {problem}")


def shown(value: Any) -> str:
    """Short description of a value for a message, such as ``a tensor of shape (4, 1), int64``."""
    if isinstance(value, Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        return f"a tensor of shape {tuple(value.shape)}, {kind}, on {value.device}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}, {value.dtype}"
    if isinstance(value, list | tuple | dict | set):
        return f"a {type(value).__name__} of {len(value)}"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    return f"a {type(value).__name__}"


# --- training ------------------------------------------------------------------------------------


def plan(made: Any, levels: int) -> str:
    """Problem of the stages to train at one time."""
    if not isinstance(made, list | tuple) or not all(isinstance(s, Stage) for s in made):
        return f"stages returns {shown(made)}, not a list of Stage"
    return _levels([stage.level for stage in made], levels, "stages returns") or next(
        (
            f"stages returns a Stage whose augmentation is {shown(stage.augmentation)}"
            for stage in made
            if not callable(stage.augmentation)
        ),
        "",
    )


def plans(made: Any, levels: int) -> str:
    """Problem of ``Schedule.levels``: all sets of stages that are trained together."""
    if not isinstance(made, list | tuple) or not all(isinstance(p, list | tuple) for p in made):
        return f"levels returns {shown(made)}, not a list of tuples of levels"
    return next(filter(None, (_levels(p, levels, "levels returns") for p in made)), "")


def _levels(found: Sequence[Any], levels: int, what: str) -> str:
    rising = all(is_count(level) for level in found) and sorted(set(found)) == list(found)
    if not rising or (found and found[-1] > levels):
        return f"{what} levels {list(found)}, not rising levels of 1..{levels}"
    return ""


def is_count(value: Any) -> bool:
    """Whether a value is an integer of 1 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def loss_value(made: Any, embeddings: Any) -> str:
    """Problem of the value of a loss: a floating-point scalar with a gradient."""
    if not isinstance(made, Tensor) or made.shape != () or not made.is_floating_point():
        return f"forward returns {shown(made)}, not a floating-point scalar"
    if not isinstance(embeddings, Tensor):
        return ""
    if made.device.type != embeddings.device.type:
        return f"forward returns {shown(made)} for embeddings on {embeddings.device}"
    if embeddings.requires_grad and torch.is_grad_enabled() and not made.requires_grad:
        return "forward returns a value without a gradient: it does not depend on the embeddings"
    return ""


def check_loss(loss: Loss) -> None:
    """Check the value of a loss the first time that it is computed."""

    def check(module: nn.Module, inputs: tuple[Any, ...], value: Any) -> None:
        handle.remove()
        expect(module, loss_value(value, inputs[0] if inputs else None))

    handle = loss.register_forward_hook(check)


def groups(made: Any) -> str:
    """Problem of the parameters of a method by group."""
    if not isinstance(made, Mapping) or not all(isinstance(name, str) for name in made):
        return f"groups returns {shown(made)}, not a mapping of names to lists of parameters"
    for name, parameters in made.items():
        if not isinstance(parameters, list | tuple):
            return f"groups gives {shown(parameters)} for '{name}', not a list of parameters"
        for parameter in parameters:
            if not isinstance(parameter, nn.Parameter):
                return f"groups has {shown(parameter)} in '{name}', not only parameters"
    held = [(id(parameter), name) for name, group in made.items() for parameter in set(group)]
    group_of = dict(held)
    twice = [(name, group_of[key]) for key, name in held if group_of[key] != name]
    return "groups has a parameter in both '{}' and '{}'".format(*twice[0]) if twice else ""


def optimizer(made: Any) -> str:
    """Problem of a built optimizer."""
    if not isinstance(made, torch.optim.Optimizer):
        return f"build returns {shown(made)}, not a torch.optim.Optimizer"
    return ""


def rate(made: Any) -> str:
    """Problem of a factor of the learning rate."""
    if isinstance(made, bool) or not isinstance(made, Real):
        return f"rate returns {shown(made)}, not a number"
    factor = float(made)
    return "" if math.isfinite(factor) and factor >= 0 else f"rate returns {made}, not a factor"


def updates(made: Any) -> str:
    """Problem of what ``step`` of a method returns: a generator, as of a function with yield."""
    if isinstance(made, Iterator):
        return ""
    return f"step returns {shown(made)}, not a generator; yield each update"


def update(made: Any, groups: Mapping[str, Sequence[nn.Parameter]]) -> str:
    """Problem of an update of a method; ``groups`` has the parameters that are trained."""
    if not isinstance(made, Update):
        return f"step yields {shown(made)}, not an Update"
    value = made.loss
    if made.group not in groups:
        return f"step yields an update of group {made.group!r}; groups has: {', '.join(groups)}"
    if not isinstance(value, Tensor) or value.shape != () or not value.is_floating_point():
        return f"step yields a loss that is {shown(value)}, not a floating-point scalar"
    if not value.requires_grad and groups[made.group]:
        return f"step yields a loss without a gradient for the parameters of '{made.group}'"
    for name, metric in made.metrics.items() if isinstance(made.metrics, Mapping) else [("", None)]:
        if not isinstance(metric, Tensor) or metric.shape != ():
            return f"step yields metric '{name}' that is {shown(metric)}, not a scalar tensor"
    return ""


# --- scoring -------------------------------------------------------------------------------------


def outputs(made: Any) -> str:
    """Problem of ``Method.outputs``."""
    if not isinstance(made, tuple | list) or not all(isinstance(name, str) for name in made):
        return f"outputs returns {shown(made)}, not a tuple of names"
    return "" if "features" in made else f"outputs returns {tuple(made)}, without 'features'"


def embedding(made: Any, names: Sequence[str], rows: int, what: str = "embed") -> str:
    """Problem of what ``Method.embed`` returns for ``rows`` images, for the outputs requested.

    ``what`` names the function that made it, as ``ViewSpec.compute`` can.
    """
    if not isinstance(made, Mapping):
        return f"{what} returns {shown(made)}, not a mapping of names to tensors (N, D)"
    for name in names:
        value = made.get(name)
        whole = isinstance(value, Tensor) and value.ndim == 2 and not value.is_complex()
        if not whole or len(made[name]) != rows:
            return f"{what} returns {shown(value)} as '{name}', not a tensor ({rows}, D)"
    return ""


def view_spec(made: Any) -> str:
    """Problem of the views that a scorer requests."""
    if not isinstance(made, ViewSpec) or not is_count(made.views):
        what = f"{shown(made.views)} views" if isinstance(made, ViewSpec) else shown(made)
        return f"view_spec returns {what}, not a ViewSpec with at least 1 view"
    names, stages = made.outputs, made.stages
    known = isinstance(names, tuple) and all(isinstance(name, str) for name in names)
    if not known or not (names or stages):
        return f"view_spec requests outputs {names!r}, not a tuple of names"
    if not isinstance(stages, tuple) or not all(is_count(stage) for stage in stages):
        return f"view_spec requests stages {stages!r}, not a tuple of numbers from 1 on"
    for transform in (made.transform, made.pre_shift, made.compute):
        if transform is not None and not callable(transform):
            return f"view_spec requests a function that is {shown(transform)}"
    if not isinstance(made.independent, bool):
        return f"view_spec sets independent to {shown(made.independent)}, not true or false"
    return "" if made.windows is None else _windows(made.windows, stages)


def _windows(made: Any, stages: Sequence[int]) -> str:
    if not isinstance(made, Windows) or stages:
        return "view_spec requests windows that are no Windows, or windows and stages"
    if not is_count(made.size) or not is_count(made.stride):
        return f"view_spec requests {made}, not a size and a stride of at least 1"
    return ""


def scores(made: Any, rows: int) -> str:
    """Problem of the scores of ``rows`` images."""
    whole = isinstance(made, Tensor) and made.shape == (rows,) and not made.is_complex()
    return "" if whole else f"score returns {shown(made)}, not a tensor of shape ({rows},)"


def feature_maps(made: Any, stages: Sequence[int], rows: int) -> str:
    """Problem of what ``Method.feature_maps`` returns for ``rows`` images."""
    if not isinstance(made, list | tuple) or len(made) < max(stages):
        return f"feature_maps returns {shown(made)}, not a list of {max(stages)} tensors"
    for stage in stages:
        value = made[stage - 1]
        if not isinstance(value, Tensor) or value.ndim != 4 or len(value) != rows:
            return f"feature_maps returns {shown(value)}, not a tensor ({rows}, D, h, w)"
    return ""


def maps(made: Any, sizes: Tensor) -> str:
    """Problem of the maps of images; ``sizes`` are their heights and widths, (N, 2)."""
    shape = (len(sizes), *sizes[0].tolist())
    whole = isinstance(made, Tensor) and made.shape == shape and made.is_floating_point()
    return "" if whole else f"maps returns {shown(made)}, not a tensor of shape {shape}"


def figure(made: Any) -> str:
    """Problem of the value of a metric: a number, which may be NaN."""
    known = isinstance(made, Real) and not isinstance(made, bool)
    return "" if known else f"value returns {shown(made)}, not a number"


def requested(scorer: Scorer) -> ViewSpec:
    """The views that a scorer requests.

    Raises:
        PluginFault: it requests something else.
    """
    spec = scorer.view_spec()
    expect(scorer, view_spec(spec))
    return spec
