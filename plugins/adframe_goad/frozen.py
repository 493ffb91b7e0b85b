"""Batch normalisation as GOAD's public code trains with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from .losses import TripletCentre

if TYPE_CHECKING:
    from adframe import Run


def freeze_after_first_epoch(run: Run) -> None:
    """Let batch normalisation use its running statistics, and keep them, from epoch 2 on.

    Only where a loss of the run asks for it.
    """
    modules = list(run.assembly.method.modules())
    if not any(isinstance(module, TripletCentre) and module.official_code for module in modules):
        return

    def freeze(module: nn.Module, _: tuple[Tensor, ...]) -> None:
        if run.epoch:  # epochs completed, also those before the run was resumed
            module.eval()

    for module in modules:
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.register_forward_pre_hook(freeze)
