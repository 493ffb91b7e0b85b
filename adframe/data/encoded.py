"""Images that lie encoded in a Parquet file, in place of files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from adframe.io.listing import reading_parquet

AT_ONCE = 64  # rows of a Parquet file that are in memory
PATH, BYTES = "path", "bytes"  #: columns of names, and of images as in their files


@dataclass(frozen=True)
class Encoded:
    """The content of an image file in memory; it stands where a path may."""

    name: str
    data: bytes

    def __fspath__(self) -> str:
        """The name."""
        return self.name

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Rows:
    """The rows from ``first`` to before ``last`` of a Parquet file, each an encoded image."""

    file: str
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first

    def images(self) -> Iterator[Encoded]:
        """The images, a few in memory at a time.

        Raises:
            UserError: the file cannot be read.
        """
        with reading_parquet(self.file) as parquet, parquet.ParquetFile(self.file) as file:
            columns = [name for name in (PATH, BYTES) if name in file.schema_arrow.names]
            start = 0
            for group in range(file.num_row_groups):
                length = file.metadata.row_group(group).num_rows
                if start < self.last and start + length > self.first:
                    row = start
                    for batch in file.iter_batches(AT_ONCE, [group], columns):
                        for found in batch.to_pylist():
                            if self.first <= row < self.last:
                                name = found.get(PATH) or f"{self.file}#{row}"
                                yield Encoded(str(name), found[BYTES] or b"")
                            row += 1
                start += length
