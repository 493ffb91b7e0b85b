"""Arguments that take one path or several."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

AnyPath = str | os.PathLike[str]
One = TypeVar("One", bound=AnyPath)


def as_list(paths: One | Iterable[One]) -> list[One]:
    """Converts one path, or several, to a list of paths."""
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)
