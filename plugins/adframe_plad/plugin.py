"""Registers the components of adframe_plad."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "plad", ".method:PLAD")
