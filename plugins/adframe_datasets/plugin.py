"""What adframe_datasets brings."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("dataset", "lfw_faces", ".lfw:LFWFaces")
    add("dataset", "image_folder", ".folder:ImageFolder")
    add("dataset", "cifar10", ".cifar:CIFAR10")
