"""Keeps the finished runs of tables: ``python tools/recorded_runs.py OUT TABLE_JSON...``.

OUT gets the finished runs of each ``table.json``, one a line, and keeps those that it has; their
folders are dropped. ``adframe reproduce --recorded OUT`` takes it. Of two files, the later counts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(out: Path, tables: list[Path]) -> None:
    """Add the finished runs of some tables to a file."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path in [*([out] if out.exists() else []), *tables]:
        for run in json.loads(path.read_text(encoding="utf-8"))["runs"]:
            if run["status"] == "done":
                found[run["cell"], run["config"]] = {**run, "folder": None}
    lines = ",\n".join(json.dumps(found[key]) for key in sorted(found))
    out.write_text(f'{{"runs": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
