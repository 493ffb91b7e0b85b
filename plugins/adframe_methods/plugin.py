"""Registers the components of adframe_methods."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "contrastive", ".contrastive:Contrastive", default=True)
    add("method", "patches", ".patches:Patches")
