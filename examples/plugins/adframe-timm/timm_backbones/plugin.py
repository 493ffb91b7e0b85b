"""What adframe-timm brings."""

from adframe import Add, hookimpl

adframe_api = 1


@hookimpl
def adframe_register(add: Add) -> None:
    """Offer the backbone."""
    add("backbone", "timm", ".backbone:Timm")
