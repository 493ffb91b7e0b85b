"""Registers the components of adframe_rotnet."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("loss", "shift_heads", ".loss:ShiftHeads")
