"""Registers the components of adframe_schedules."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("schedule", "uniform", ".uniform:Uniform", default=True)
    add("schedule", "curriculum", ".curriculum:Curriculum")
    add("schedule", "downsized", ".downsized:Downsized")
    add("schedule", "phases", ".phases:Phases")
