"""Batch normalisations as part of the convolutions before them, for networks that only score."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from adframe.engine.features import MIN_BATCH
from adframe.interfaces import Method
from adframe.ops.image import to_float

CLOSE = 1e-4  # of the largest output: rounding; a wrong pair is off by far more


@torch.no_grad()
def folded(method: Method, size: Sequence[int]) -> Method:
    """The form of a method that scores: batch normalisations are folded into convolutions.

    Which convolution feeds which normalisation is seen in a forward pass, so the network may be of
    any class. It is a copy. If nothing can be folded, or the outputs are others afterwards, it is
    the method itself.

    Args:
        method: the trained method.
        size: channels, height and width of its images.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in method.modules()):
        return method
    device = next((p.device for p in method.parameters()), torch.device("cpu"))
    keys = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (MIN_BATCH, *size), generator=keys, dtype=torch.uint8)
    sample = to_float(noise.to(device)).contiguous(memory_format=torch.channels_last)
    with (
        torch.random.fork_rng([device] if device.type == "cuda" else []),
        suppress(Exception),  # a plugin that cannot be copied, or fails: so does scoring
    ):
        result = copy.deepcopy(method).eval()
        expected = _outputs(result, sample)
        if _fold(result, sample) and _alike(expected, _outputs(result, sample)):
            return result
    return method


def _fold(result: Method, sample: Tensor) -> bool:
    """Fold what can be folded; whether there was anything."""
    names = {module: name for name, module in result.named_modules()}
    pairs = _pairs(result, sample)
    for conv, norm in pairs:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps,
            norm.weight, norm.bias,
        )  # fmt: skip
        parent, _, name = names[norm].rpartition(".")
        setattr(result.get_submodule(parent), name, nn.Identity().eval())
    return bool(pairs)


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
        method.embed_only(images, ["features"])
    finally:
        for hook in hooks:
            hook.remove()
    once = [pair for pair in pairs if all(calls[module] == 1 for module in pair)]
    return [(conv, norm) for conv, norm in once if norm.running_mean is not None]


def _outputs(method: Method, images: Tensor) -> list[Tensor]:
    """The features of a method, other outputs that cost nothing more, and its feature maps."""
    outputs = [value.clone() for value in method.embed_only(images, ["features"]).values()]
    with suppress(AssertionError, AttributeError, NotImplementedError):  # it has no feature maps
        depth = len(method.backbone.widths)  # type: ignore[union-attr,arg-type]
        outputs += [maps.clone() for maps in method.feature_maps(images, depth)]
    return outputs


def _alike(expected: Sequence[Tensor], found: Sequence[Tensor]) -> bool:
    """Whether outputs are the same, up to rounding."""
    return all(
        bool(((one - other).abs() <= CLOSE * one.abs().amax().clamp(min=1e-6)).all())
        for one, other in zip(expected, found, strict=True)
    )
