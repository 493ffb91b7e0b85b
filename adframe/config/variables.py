"""``${NAME}`` in the values of a config: environment variables and the folder of the config."""

from __future__ import annotations

import os
import re
from pathlib import Path

from adframe.errors import UserError

HERE = "CONFIG_DIR"  # the folder of the file that contains it; comes before the environment
_VARIABLE = re.compile(r"\$(\$\{)|\$\{([^{}]*)\}")
_NAME = re.compile(r"([A-Za-z_]\w*)(?::-(.*))?", re.DOTALL)


def expand(text: str, origin: str, folder: Path) -> str:
    """Replace each ``${NAME}`` or ``${NAME:-default}`` in a text; ``$${`` becomes ``${``.

    The default stands for a variable that is not set, and for an empty one.

    Raises:
        UserError: a variable is not set and has no ``otherwise``, or its name is not valid.
    """

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return "${"
        inner = _NAME.fullmatch(match[2])
        if inner is None:
            raise UserError(f"{origin}: '{match[0]}' is not a variable; write $${{ for a plain ${{")
        name, otherwise = inner.groups()
        if name == HERE:
            return str(folder.resolve())
        if name not in os.environ and otherwise is None:
            raise UserError(
                f"{origin}: environment variable '{name}' is not set; "
                f"set it, or write ${{{name}:-VALUE}}"
            )
        return os.environ.get(name) or otherwise or ""

    return _VARIABLE.sub(value, text)


def escape(text: str) -> str:
    """Escape ``${`` in a text as ``$${``, so that it is read back unchanged."""
    return text.replace("${", "$${")
