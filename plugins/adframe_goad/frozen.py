"""Batch normalisation as in GOAD's public code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from .losses import TripletCentre

if TYPE_CHECKING:
    from adframe import Run


def freeze_after_first_epoch(run: Run) -> None:
    """Freezes the running statistics of batch normalisation from epoch 2 on.

    Does nothing unless a loss of the run has ``official_code: true``.
    """
    modules = list(run.assembly.method.modules())
    if not any(isinstance(module, TripletCentre) and module.official_code for module in modules):
        return

    def freeze(module: nn.Module, _: tuple[Tensor, ...]) -> None:
        if run.epoch:  # epochs completed, including those before a resume
            module.eval()

    for module in modules:
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.register_forward_pre_hook(freeze)
