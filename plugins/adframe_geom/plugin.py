"""Registers the components of adframe_geom."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("scorer", "dirichlet", ".scorer:Dirichlet")
