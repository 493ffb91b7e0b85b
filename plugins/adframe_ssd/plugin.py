"""Registers the components of adframe_ssd."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("scorer", "mahalanobis", ".scorers:Mahalanobis")
    add("scorer", "few_shot_mahalanobis", ".scorers:FewShotMahalanobis")
