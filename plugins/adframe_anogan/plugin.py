"""Registers the components of adframe_anogan."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "anogan", ".method:AnoGAN")
