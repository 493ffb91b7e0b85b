"""Registers the components and the hook of adframe-uniformity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adframe import Add, hookimpl

if TYPE_CHECKING:
    from adframe import Run

adframe_api = 1


@hookimpl
def adframe_register(add: Add) -> None:
    """Registers the loss and its scorer."""
    add("loss", "align_uniform", ".sphere:AlignUniform")
    add("scorer", "gaussian_potential", ".sphere:GaussianPotential")


@hookimpl
def adframe_run_start(run: Run) -> None:
    """Logs each run that has a folder."""
    if run.out is not None:
        from .log import TensorBoardLog

        run.attach(TensorBoardLog(run))
