"""What adframe_shifts brings."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("shift", "rotation", ".geometric:Rotation")
