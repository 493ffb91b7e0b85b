"""Registers the components of adframe_firm."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("loss", "firm", ".loss:FIRM")
