"""Registers the components of adframe_goad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adframe import Add, every_rank, hookimpl

if TYPE_CHECKING:
    from adframe import Run


@hookimpl
def adframe_register(add: Add) -> None:
    add("loss", "triplet_centre", ".losses:TripletCentre")
    add("loss", "squared_features", ".losses:SquaredFeatures")
    add("scorer", "shift_centres", ".scorer:ShiftCentres")


@every_rank
@hookimpl
def adframe_run_start(run: Run) -> None:
    from .frozen import freeze_after_first_epoch

    freeze_after_first_epoch(run)
