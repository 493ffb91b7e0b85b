"""Functions of torch that use a whole batch, where each process has some of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from adframe.errors import UserError
from adframe.parallel.world import World


class WholeBatch(TorchFunctionMode):
    """Context manager: batch normalisation and dropout are as over the rows of all processes.

    Args:
        world: the processes.
        count: number of rows that they share.
    """

    def __init__(self, world: World, count: int) -> None:
        super().__init__()
        self.world, self.count, self.part = world, count, world.share(count)

    def __enter__(self) -> WholeBatch:
        self.drawn = _random_state()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        if error is None and not all(map(torch.equal, self.drawn, _random_state())):
            raise UserError(
                "the network draws random numbers of torch while it trains, other than dropout's; "
                "several processes cannot train it as one"
            )

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.batch_norm:
            return self._batch_norm(*args, **kwargs)
        if func is F.dropout:
            return self._dropout(*args, **kwargs)
        if func is F.instance_norm and kwargs.get("running_mean") is not None:
            raise UserError("several processes cannot train statistics of instance normalisation")
        return func(*args, **kwargs)

    def _dropout(
        self, values: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        """The same as one process drops: the numbers for all rows are drawn, and some are used."""
        if not training or len(values) != self.part.stop - self.part.start:
            return F.dropout(values, p, training, inplace)
        format = torch.channels_last if _is_channels_last(values) else torch.contiguous_format
        ones = torch.ones(
            self.count, *values.shape[1:], dtype=values.dtype, device=values.device
        ).contiguous(memory_format=format)
        factors = F.dropout(ones, p)[self.part]
        self.drawn = _random_state()
        return values.mul_(factors) if inplace else values * factors

    def _batch_norm(
        self,
        values: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return F.batch_norm(
                values, running_mean, running_var, weight, bias, training, momentum, eps
            )
        made, mean, variance, number = _BatchNorm.apply(values, weight, bias, eps, self.world)
        with torch.no_grad():
            if running_mean is not None and running_var is not None:
                unbiased = variance * (number / (number - 1))
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
                running_var.lerp_(unbiased.to(running_var.dtype), momentum)
        normalised: Tensor = made
        return normalised


def _random_state() -> list[Tensor]:
    """The states of torch's generators that the network may draw from."""
    states = [torch.get_rng_state()]
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states.append(torch.cuda.get_rng_state())
    return states


def _is_channels_last(values: Tensor) -> bool:
    return values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last)


class _BatchNorm(torch.autograd.Function):
    """Normalises channels by the mean and variance over the rows of all processes.

    Statistics of the processes are combined as by Chan et al. (1979), which keeps their precision.
    The gradients of weight and bias are those of the rows of this process.
    """

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float,
        world: World,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        width = values.shape[1]
        at_least = torch.promote_types(values.dtype, torch.float32)
        variance, mean = torch.var_mean(values.to(at_least), _but_channels(values), correction=0)
        number = mean.new_full((1,), values.numel() // width)
        each = world.stack(torch.cat([number, mean, variance]).double())
        numbers, means, variances = torch.split(each, [1, width, width], dim=1)
        total = numbers.sum()
        mean = (numbers * means).sum(0) / total
        variance = (numbers * (variances + (means - mean).square())).sum(0) / total
        mean, variance = mean.to(at_least), variance.to(at_least)
        ctx.save_for_backward(values, weight, mean, variance, total)
        ctx.eps, ctx.world = eps, world
        made = torch.batch_norm(values, weight, bias, mean, variance, False, 0.0, eps, False)
        ctx.mark_non_differentiable(mean, variance, total)
        return made, mean, variance, total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, pull: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        values, weight, mean, variance, total = ctx.saved_tensors
        scale = (variance + ctx.eps).rsqrt()
        back, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            pull, values, weight, mean, variance, mean, scale, False, ctx.eps, [True, True, True]
        )
        sums = ctx.world.reduce(torch.cat([of_weight, of_bias])).to(mean.dtype)
        along, level = (sums / total.to(mean.dtype)).chunk(2)
        factor = scale if weight is None else scale * weight
        # The gradient through mean and variance is a line in the values of each channel.
        slope = factor * scale * along
        shape = [1, -1, *[1] * (values.ndim - 2)]
        back = back - (factor * level - slope * mean).view(shape) - slope.view(shape) * values
        of_weight = None if weight is None else of_weight
        return back.to(values.dtype), of_weight, None if weight is None else of_bias, None, None


def _but_channels(values: Tensor) -> list[int]:
    return [dim for dim in range(values.ndim) if dim != 1]
