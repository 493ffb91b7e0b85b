"""What adframe_scorers brings."""

from adframe import Add, hookimpl


@hookimpl
def adframe_register(add: Add) -> None:
    add("scorer", "nearest_cosine", ".nearest:NearestCosine", default=True)
