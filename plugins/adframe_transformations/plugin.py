"""What adframe_transformations brings."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("loss", "shift_heads", ".heads:ShiftHeads")
    add("scorer", "true_shift", ".true_shift:TrueShift")
    add("scorer", "dirichlet", ".dirichlet:Dirichlet")
