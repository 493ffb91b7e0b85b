"""Registers the components of adframe_droc."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("augmentation", "droc", ".augmentation:DROC")
    add("loss", "droc_contrastive", ".loss:DROCContrastive")
