"""Registers the components of adframe_shifts."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("shift", "rotation", ".geometric:Rotation")
    add("shift", "cutperm", ".geometric:CutPerm")
    add("shift", "flip", ".geometric:Flip")
    add("shift", "translation", ".geometric:Translation")
    add("shift", "gaussian_blur", ".filters:GaussianBlur")
    add("shift", "gaussian_noise", ".filters:GaussianNoise")
    add("shift", "sobel", ".filters:Sobel")
    add("shift", "compose", ".compose:Compose")
