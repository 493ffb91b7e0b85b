"""An output folder whose work is continued by the same command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adframe.errors import UserError
from adframe.io.atomic import is_temporary, read_json
from adframe.io.locks import LOCK


def earlier_work(
    path: Path, facts: dict[str, Any], what: str, other: str, begun: Callable[[str], bool]
) -> dict[str, Any] | None:
    """What a file of a locked output folder remembers of earlier work; None if it begins now.

    Args:
        path: the file.
        facts: what makes it this work, as in JSON.
        what: what such a folder holds, for the message.
        other: the same of other work.
        begun: whether a name is of work that ended before the file was written.

    Raises:
        UserError: the folder holds other work or other things, or the file cannot be read.
    """
    folder = path.parent
    if path.exists():
        known, wanted = read_json(path), json.loads(json.dumps(facts))
        if not isinstance(known, dict) or any(known.get(key) != wanted[key] for key in wanted):
            raise UserError(f"{folder}: holds {other}; choose another --out")
        return known
    names = {entry.name for entry in folder.iterdir()} - {LOCK}
    if not all(is_temporary(name) or begun(name) for name in names):
        raise UserError(f"{folder}: is not empty and holds no {what}; choose another --out")
    return None
