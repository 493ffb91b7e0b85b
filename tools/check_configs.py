"""Checks every YAML file below ``configs/`` or the given folders; prints a line per problem.

A config is composed with what it extends and validated by the library itself, which also names the
line and the nearest valid word; a JSON Schema cannot follow ``extends``. A base config need not be
complete. Files of tables are checked by the reader of tables. Nothing is trained, no data is read.

    python tools/check_configs.py [FOLDER ...]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from adframe import UserError, load_config
from adframe.errors import ConfigError
from adframe.tables.definition import read_table
from adframe.tables.published import read_published

ROOT = Path(__file__).parents[1]


def problems(folder: Path) -> Iterator[str]:
    """One line for each problem of each file below a folder."""
    for path in sorted(folder.rglob("*.yaml")):
        parts = path.relative_to(folder).parts[:-1]
        try:
            if parts[:2] == ("tables", "published"):
                read_published(path)
            elif parts == ("tables",):
                read_table(path)
            elif "tables" not in parts:  # what tables share is read with each of them
                load_config(path)
        except ConfigError as error:
            may_miss = "base" in parts
            yield from (str(p) for p in error.problems if not (may_miss and p.message == "missing"))
        except UserError as error:
            yield str(error)


def main(folders: Sequence[str]) -> int:
    """Print the problems of the folders; returns 1 if there are any."""
    found = [
        line for folder in folders or [str(ROOT / "configs")] for line in problems(Path(folder))
    ]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
