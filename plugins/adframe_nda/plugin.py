"""Registers the components of adframe_nda."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "nda_inspired", ".method:NDAInspired")
