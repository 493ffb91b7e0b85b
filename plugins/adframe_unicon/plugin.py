"""What adframe_unicon brings."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("loss", "uniclr", ".losses:UniCLR")
    add("schedule", "hierarchical", ".schedules:Hierarchical")
