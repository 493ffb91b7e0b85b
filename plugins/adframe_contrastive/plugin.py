"""What adframe_contrastive brings."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "contrastive", ".method:Contrastive", default=True)
    add("schedule", "uniform", ".schedules:Uniform", default=True)
    add("schedule", "curriculum", ".schedules:Curriculum")
    add("schedule", "downsized", ".schedules:Downsized")
    add("schedule", "phases", ".schedules:Phases")
