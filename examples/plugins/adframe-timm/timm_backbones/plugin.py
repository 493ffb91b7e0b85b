"""Registers the components of adframe-timm."""

from adframe import Add, hookimpl

adframe_api = 1


@hookimpl
def adframe_register(add: Add) -> None:
    """Registers the backbone."""
    add("backbone", "timm", ".backbone:Timm")
