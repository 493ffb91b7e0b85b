"""Registers the components of adframe_augmentations."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("augmentation", "simclr", ".simclr:SimCLR", default=True)
    add("augmentation", "flip", ".flip:Flip")
    add("augmentation", "pad_crop", ".pad_crop:PadCrop")
    add("augmentation", "random_window", ".window:RandomWindow")
