"""Registers the components of adframe_backbones."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("backbone", "resnet18", ".resnet:ResNet18", default=True)
    add("backbone", "resnet34", ".resnet:ResNet34")
    add("backbone", "resnet50", ".resnet:ResNet50")
    add("backbone", "wide_resnet", ".wide_resnet:WideResNet")
    add("backbone", "edge_filters", ".filters:Filters")
    add("backbone", "lenet", ".lenet:LeNet")
    add("backbone", "dcgan", ".dcgan:DCGAN")
