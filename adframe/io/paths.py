"""Arguments that take one path or several."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

AnyPath = str | os.PathLike[str]
One = TypeVar("One", bound=AnyPath)


def as_list(paths: One | Iterable[One]) -> list[One]:
    """A list of the paths; of one, if one is given and not a sequence of them."""
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)
