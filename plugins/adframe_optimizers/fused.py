"""Steps that go over memory once."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def fused(
    kind: type[torch.optim.Optimizer], parameters: list[nn.Parameter], **options: Any
) -> torch.optim.Optimizer:
    """An optimiser of PyTorch's, its step fused where PyTorch can.

    Measured: docs/performance/notes.md.

    Args:
        kind: ``torch.optim.SGD``, or another that takes ``fused``.
    """
    able = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters)
    optimizer = kind(parameters, fused=able or None, **options)
    if able:
        optimizer.register_step_pre_hook(_lay_alike)
    return optimizer


def _lay_alike(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Gradients in the memory order of their weights.

    Autograd makes them so, others may not, and a fused step goes along both as they lie without a
    look at their strides (seen with torch 2.15).
    """
    for group in optimizer.param_groups:
        for weight in group["params"]:
            if weight.grad is not None and weight.grad.stride() != weight.stride():
                weight.grad = torch.empty_like(weight).copy_(weight.grad)
