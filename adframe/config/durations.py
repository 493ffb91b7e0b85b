"""Intervals in configs: a number of epochs, or a time such as ``10min``."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_UNITS = {"s": 1, "min": 60, "h": 3600}


def seconds_of(value: int | str) -> int:
    """Seconds of ``90s``, ``10min`` or ``2h``; 0 for a number of epochs or any other text."""
    found = re.fullmatch(r"(\d{1,6})(s|min|h)", value, re.ASCII) if isinstance(value, str) else None
    return int(found[1]) * _UNITS[found[2]] if found else 0


def _checked(value: int | str) -> int | str:
    if value < 0 if isinstance(value, int) else not seconds_of(value):
        raise PydanticCustomError("every", "must be a number of epochs, or a time such as 10min")
    return value


EpochsOrTime = Annotated[int | str, AfterValidator(_checked)]
