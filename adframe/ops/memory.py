"""Gradients with less memory: the same values, computed earlier or twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def early_gradient(loss: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    """Computes the gradient of a scalar at once, so that what it was computed from is freed.

    For a loss that is a sum of terms which share nothing but the parameters: the terms then need
    the memory of one of them. ``backward`` of the result adds the same gradient, multiplied by its
    own; gradients of gradients cannot be had.

    Args:
        loss: a scalar.
        parameters: what it may depend on. Those that are frozen get no gradient.

    Returns:
        A scalar of the same value; ``loss`` itself if gradients are off.
    """
    moved = [parameter for parameter in parameters if parameter.requires_grad]
    if not (torch.is_grad_enabled() and loss.requires_grad and moved):
        return loss
    found = torch.autograd.grad(loss, moved, allow_unused=True)
    pairs = [pair for pair in zip(moved, found, strict=True) if pair[1] is not None]
    reached, gradients = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    result: Tensor = _Known.apply(loss.detach(), gradients, *reached)
    return result


def recomputed(module: nn.Module, inputs: Tensor, **options: Any) -> Tensor:
    """Calls a module and keeps only its input; the backward pass calls it again.

    Values, gradients and buffers are the same as without, such as the running statistics of batch
    normalisation. Costs one more forward pass of the module.

    Args:
        module: from a tensor to a tensor.
        inputs: its input.
        options: further arguments of the module.
    """

    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), _unchanged(module)

    call = cast(Callable[..., Any], checkpoint)
    result: Tensor = call(module, inputs, use_reentrant=False, context_fn=contexts, **options)
    return result


@contextmanager
def _unchanged(module: nn.Module) -> Iterator[None]:
    """Gives the buffers of a module back the values that they have now."""
    kept = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in kept:
                buffer.copy_(value)


class _Known(torch.autograd.Function):
    """A scalar whose gradient is known."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, gradients: list[Tensor], *_: Tensor) -> Tensor:
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        if above == 1:
            return None, None, *ctx.gradients
        return None, None, *(gradient * above for gradient in ctx.gradients)
