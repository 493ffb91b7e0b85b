"""Registers the components of adframe_csi."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("augmentation", "csi", ".augmentation:CSIAugmentation")
    add("scorer", "csi", ".scorer:CSI")
