"""Registers the components of adframe_con2."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("loss", "context_contrast", ".losses:ContextContrast")
    add("loss", "content_alignment", ".losses:ContentAlignment")
