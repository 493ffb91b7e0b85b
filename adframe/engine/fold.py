"""Batch normalisations as part of the convolutions before them, for networks that only score."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from adframe.interfaces import Method
from adframe.ops.image import to_float

CLOSE = 1e-4  # of the largest output: rounding; a wrong pair is off by far more


@torch.no_grad()
def folded(method: Method, size: Sequence[int]) -> Method:
    """A copy of a method with batch normalisations folded into convolutions.

    Which convolution feeds which normalisation is seen in a forward pass, so the network may be of
    any class. If the outputs are others afterwards, the copy stays as it was.

    Args:
        method: the trained method.
        size: channels, height and width of its images.
    """
    plain, result = copy.deepcopy(method).eval(), copy.deepcopy(method).eval()
    device = next((p.device for p in method.parameters()), torch.device("cpu"))
    keys = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (2, *size), generator=keys, dtype=torch.uint8)
    sample = to_float(noise.to(device)).contiguous(memory_format=torch.channels_last)
    names = {module: name for name, module in result.named_modules()}
    for conv, norm in _pairs(result, sample):
        if norm.running_mean is None or norm.running_var is None:
            continue
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps,
            norm.weight, norm.bias,
        )  # fmt: skip
        parent, _, name = names[norm].rpartition(".")
        setattr(result.get_submodule(parent), name, nn.Identity().eval())
    return result if _alike(plain, result, sample) else plain


def _pairs(method: Method, images: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Each convolution whose output a normalisation gets, if each is called once."""
    outputs: dict[int, tuple[nn.Conv2d, Tensor]] = {}
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []
    calls: dict[nn.Module, int] = {}

    def after(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        calls[module] = calls.get(module, 0) + 1
        if isinstance(module, nn.Conv2d):
            outputs[id(output)] = module, output  # kept alive, so that no other has this id
        elif isinstance(module, nn.BatchNorm2d) and id(inputs[0]) in outputs:
            pairs.append((outputs[id(inputs[0])][0], module))

    wanted = [m for m in method.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    hooks = [module.register_forward_hook(after) for module in wanted]
    try:
        method.embed(images)
    finally:
        for hook in hooks:
            hook.remove()
    return [pair for pair in pairs if all(calls[module] == 1 for module in pair)]


def _alike(one: Method, other: Method, images: Tensor) -> bool:
    """Whether two methods have the same outputs, up to rounding."""
    expected, found = one.embed(images), other.embed(images)
    return all(
        bool(((found[name] - value).abs() <= CLOSE * value.abs().amax().clamp(min=1e-6)).all())
        for name, value in expected.items()
    )
