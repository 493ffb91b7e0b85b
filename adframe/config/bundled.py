"""The configs that come with the package."""

from __future__ import annotations

from pathlib import Path


def configs_folder() -> Path:
    """The folder of the bundled configs: in the package (in a clone: a link), or next to it."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"
