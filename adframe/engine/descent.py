"""Optimiser steps: the optimizer of each group of parameters, and its learning rate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from adframe.engine import returned
from adframe.engine.returned import expect
from adframe.interfaces import Method, Optimizer


class Descent:
    """Moves one group of parameters.

    Args:
        policy: how they move.
        parameters: those that are not frozen.
        clip: upper bound of the norm of their gradient.

    Raises:
        PluginFault: the optimizer builds something else.
    """

    def __init__(
        self, policy: Optimizer, parameters: list[nn.Parameter], clip: float | None = None
    ) -> None:
        self.policy, self.parameters, self.clip = policy, parameters, clip
        self.optimizer = policy.build(parameters)
        expect(policy, returned.optimizer(self.optimizer))
        self._base = [part["lr"] for part in self.optimizer.param_groups]

    def step(self, loss: Tensor, progress: float) -> None:
        """Take one optimiser step down a scalar loss, at ``progress`` of the run."""
        factor = self.policy.rate(progress)
        expect(self.policy, returned.rate(factor))
        for part, lr in zip(self.optimizer.param_groups, self._base, strict=True):
            part["lr"] = lr * factor
        descend(loss, self.optimizer, self.parameters, self.clip)


def trained_parameters(method: Method) -> dict[str, list[nn.Parameter]]:
    """The parameters that training moves, by group: those that are not frozen at its start.

    Raises:
        PluginFault: the method returns no groups of parameters.
    """
    groups = method.groups()
    expect(method, returned.groups(groups))
    return {name: [p for p in group if p.requires_grad] for name, group in groups.items()}


def descend(
    loss: Tensor,
    optimizer: torch.optim.Optimizer,
    parameters: Sequence[nn.Parameter],
    clip: float | None = None,
) -> None:
    """Take one optimiser step; parameters that are frozen at the moment stay as they are.

    Args:
        loss: a scalar.
        optimizer: the optimiser of the parameters.
        parameters: the parameters to move.
        clip: upper bound of the norm of their gradient.
    """
    moved = [parameter for parameter in parameters if parameter.requires_grad]
    if not moved:
        return
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss, inputs=moved)
    if clip is not None:
        torch.nn.utils.clip_grad_norm_(moved, clip)
    optimizer.step()
