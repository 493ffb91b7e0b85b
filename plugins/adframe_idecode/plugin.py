"""What adframe_idecode brings."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "equivariance", ".method:Equivariance")
    add("augmentation", "tilt", ".tilt:Tilt")
    add("scorer", "pair_error", ".scorers:PairError")
    add("scorer", "conformal", ".scorers:Conformal")
