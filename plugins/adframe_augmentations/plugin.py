"""What adframe_augmentations brings."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("augmentation", "simclr", ".simclr:SimCLR", default=True)
    add("augmentation", "flip", ".flip:Flip")
    add("augmentation", "droc", ".droc:DROC")
    add("augmentation", "pad_crop", ".pad_crop:PadCrop")
