"""Registers the components of adframe_optimizers."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("optimizer", "sgd", ".sgd:SGD", default=True)
    add("optimizer", "lars", ".lars:LARS")
    add("optimizer", "adam", ".adam:Adam")
