"""Registers the components of adframe_svdd."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "deep_svdd", ".method:DeepSVDD")
    add("method", "autoencoder", ".autoencoder:Autoencoder")
    add("method", "deep_sad", ".method:DeepSAD")
