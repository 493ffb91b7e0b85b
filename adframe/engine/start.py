"""What a network starts with: weights of a file, of another run or published ones; frozen stages.

Nothing here runs when a run is resumed from a checkpoint, evaluated or loaded, except ``freeze``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from adframe.config.model import RunConfig
from adframe.engine import model_file
from adframe.errors import ConfigError, Problem, UserError
from adframe.interfaces import Backbone, Method, MethodWrapper, Pixels
from adframe.io.paths import expand_user
from adframe.io.read import sha256_of
from adframe.io.tensors import digest_of_tensors, read_weights
from adframe.ops.image import to_float

COUNTER = "num_batches_tracked"  # of a batch normalisation; older files lack it, nothing reads it


def start(config: RunConfig, backbone: Backbone) -> str:
    """Give a backbone the weights that the config names, or those that it publishes.

    Returns:
        SHA-256 of where they come from; empty if the weights stay as they were drawn.

    Raises:
        UserError: they cannot be read, or do not fit; one line that names the tensors.
    """
    weights = config.start and config.start.weights
    folder = config.start and config.start.init_from
    if weights:
        path = expand_user(weights)
        load(backbone, backbone.renamed(read_weights(path)), str(path))
        return sha256_of(path)
    if folder:
        path = expand_user(folder)
        load(backbone, _of_run(path, backbone), str(path))
        return sha256_of(path / "model.safetensors")
    published = dict(backbone.first_weights())
    if not published:
        return ""
    load(backbone, published, f"published weights of {config.backbone.entry.name}")
    return digest_of_tensors(published, {})


def start_modules(config: RunConfig, method: Method) -> None:
    """Give the other modules of a method the weights that they have in the run of ``init_from``.

    Args:
        config: the config of the run.
        method: its method, which is set up.

    Raises:
        UserError: they have other shapes; one line that names the tensors.
    """
    if config.start is None or not config.start.init_from:
        return
    path = expand_user(config.start.init_from)
    inner = method
    while isinstance(inner, MethodWrapper):
        inner = inner.of
    tensors, _ = model_file.model_facts(path)
    root = re.compile(r"method/(?:of\.)*")
    there = {root.sub("", name, count=1): value for name, value in tensors.items()}
    for name in inner.starts_with:
        found = {key: value for key, value in there.items() if key.startswith(f"{name}.")}
        if found:
            weights = {key.removeprefix(f"{name}."): value for key, value in found.items()}
            load(inner.get_submodule(name), weights, f"{path}: {name}")


def _of_run(folder: Path, backbone: Backbone) -> dict[str, Tensor]:
    """The weights of the backbone of a finished run; where its method keeps them is found out."""
    tensors, _ = model_file.model_facts(folder)
    wanted = list(backbone.state_dict())
    inside = [name.removeprefix("method/") for name in tensors if name.startswith("method/")]
    starts = {name.removesuffix(end) for end in wanted for name in inside if name.endswith(end)}
    starts = {start for start in starts if not start or start.endswith(".")}

    def fits(start: str) -> tuple[int, int]:
        return sum(f"method/{start}{name}" in tensors for name in wanted), -len(start)

    best = "method/" + max(starts, key=fits, default="")
    return {name.removeprefix(best): of for name, of in tensors.items() if name.startswith(best)}


def load(network: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Copy weights into a network; each must be there, of the same shape, and no other.

    Raises:
        UserError: one line that names what is missing, unexpected or of another shape.
    """
    own = network.state_dict()
    missing = [name for name in own if name not in weights and not name.endswith(COUNTER)]
    shared = [name for name in own if name in weights]
    odd = [
        f"{name} is {_shape(weights[name])}, not {_shape(own[name])}"
        for name in shared
        if weights[name].shape != own[name].shape
    ]
    parts = [
        *_named("missing", missing),
        *_named("unexpected", sorted(weights.keys() - own.keys())),
        *_named("another shape", odd),
    ]
    if parts:
        what = "the backbone" if isinstance(network, Backbone) else "the method"
        raise UserError(f"{source}: does not fit {what}: {'; '.join(parts)}")
    for name, weight in weights.items():
        if weight.is_floating_point() != own[name].is_floating_point():
            raise UserError(f"{source}: {name} is of type {weight.dtype}, not {own[name].dtype}")
        if not bool(weight.isfinite().all()):
            raise UserError(f"{source}: {name} is not finite")
        own[name].copy_(weight)


def _named(what: str, names: Sequence[str], most: int = 3) -> Iterable[str]:
    if names:
        more = f" and {len(names) - most} more" if len(names) > most else ""
        yield f"{what}: {', '.join(names[:most])}{more}"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"


def freeze(config: RunConfig, backbone: Backbone, pixels: Pixels) -> None:
    """Freeze the stages of a backbone that the config names: parameters and statistics.

    Args:
        config: the config of the run.
        backbone: its backbone, which is changed.
        pixels: training images; one of them shows which stage uses what.

    Raises:
        ConfigError: the backbone has no such stage, not yet located.
    """
    what = "none" if config.start is None else config.start.freeze
    if what == "none":
        return
    if what == "all":
        backbone.requires_grad_(False)
        backbone.frozen = list(backbone.modules())
        return
    count = len(backbone.widths)
    if above := [stage for stage in what if stage > count]:
        text = f"the network has {count} stages, not {max(above)}"
        raise ConfigError([Problem(("start", "freeze"), text)])
    parameters, modules = used_by(backbone, to_float(pixels[:1]))
    for name, parameter in backbone.named_parameters():
        if parameters.get(name) in what:
            parameter.requires_grad_(False)
    backbone.frozen = [module for module, stage in modules.items() if stage in what]


def used_by(backbone: Backbone, images: Tensor) -> tuple[dict[str, int], dict[nn.Module, int]]:
    """The first stage that uses each parameter and each module, 1 is the first.

    A stage is what a deeper forward pass computes in addition, so it is known for any backbone.

    Args:
        backbone: its weights and statistics stay as they are.
        images: (N, 3, H, W) floating point in 0..1.
    """
    called: dict[nn.Module, int] = {}
    found: dict[str, int] = {}
    named = dict(backbone.named_parameters())
    trained = {name: parameter.requires_grad for name, parameter in named.items()}
    modes = {module: module.training for module in backbone.modules()}
    depth = 0
    hooks = [
        module.register_forward_pre_hook(
            lambda module, _: called.setdefault(module, depth) and None
        )
        for module in backbone.modules()
        if module is not backbone
    ]
    try:
        backbone.eval()
        backbone.requires_grad_(True)
        for depth in range(1, len(backbone.widths) + 1):
            with torch.enable_grad():
                maps = backbone(images, depth)
                total = torch.stack([map_.float().sum() for map_ in maps]).sum()
                pulls = torch.autograd.grad(total, list(named.values()), allow_unused=True)
            for name, pull in zip(named, pulls, strict=True):
                if pull is not None:
                    found.setdefault(name, depth)
    finally:
        for hook in hooks:
            hook.remove()
        for name, parameter in named.items():
            parameter.requires_grad_(trained[name])
        for module, training in modes.items():
            module.training = training
    for name, stage in found.items():  # of a module that is not called as one
        owner = backbone.get_submodule(name.rpartition(".")[0])
        if owner is not backbone:
            called.setdefault(owner, stage)
    return found, called
