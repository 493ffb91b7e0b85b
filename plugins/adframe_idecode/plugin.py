"""Registers the components of adframe_idecode."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "equivariance", ".method:Equivariance")
    add("augmentation", "small_rotation", ".small_rotation:SmallRotation")
    add("scorer", "pair_error", ".scorers:PairError")
    add("scorer", "conformal", ".scorers:Conformal")
