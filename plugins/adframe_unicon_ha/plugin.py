"""Registers the components of adframe_unicon_ha."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("loss", "uniclr", ".loss:UniCLR")
    add("schedule", "hierarchical", ".schedule:Hierarchical")
