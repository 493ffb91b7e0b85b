"""Registers the components of adframe_timm."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("backbone", "timm", ".backbone:Timm")
