"""What adframe_augmentations brings."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("augmentation", "simclr", ".simclr:SimCLR", default=True)
    add("augmentation", "pad_crop", ".pad_crop:PadCrop")
