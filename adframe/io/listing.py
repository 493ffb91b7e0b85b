"""Reads tables that list images: CSV or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from adframe.errors import UserError, one_line
from adframe.io.paths import AnyPath, as_path
from adframe.io.read import read_text

PARQUET = (".parquet", ".pq")
TABLES = (".csv", *PARQUET)  #: endings of the names of files that are tables


def read_table(path: AnyPath) -> list[dict[str, str]]:
    """Rows of a CSV or Parquet file: column -> text, empty where there is no value.

    Args:
        path: the file: Parquet if its name ends with ``.parquet`` or ``.pq``, else CSV.

    Raises:
        UserError: it cannot be read; or it is Parquet, and pyarrow is not installed; one line.
    """
    path = as_path(path)
    if path.suffix.lower() in PARQUET:
        return _parquet(str(path))
    rows = csv.DictReader(io.StringIO(read_text(path).removeprefix("\ufeff"), newline=""))
    try:
        return [{name: value or "" for name, value in row.items() if name} for row in rows]
    except csv.Error as error:
        raise UserError(f"{path}:{rows.line_num}: {error}") from error


@contextmanager
def reading_parquet(path: str) -> Iterator[Any]:
    """Context manager in which a Parquet file is read with the module ``pyarrow.parquet``.

    Raises:
        UserError: pyarrow is not installed, or the file cannot be read; one line.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        needs = "needs pyarrow: pip install 'adframe[parquet]'"
        raise UserError(f"{path}: a Parquet file {needs}") from error
    try:
        yield parquet
    except UserError:
        raise
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise UserError(f"{path}: cannot be read: {one_line(str(error))}") from error


def _parquet(path: str) -> list[dict[str, str]]:
    with reading_parquet(path) as parquet:
        rows = parquet.read_table(path).to_pylist()
    return [
        {str(name): "" if value is None else str(value) for name, value in row.items()}
        for row in rows
    ]
