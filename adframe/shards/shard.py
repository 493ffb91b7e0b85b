"""One shard: scores its images, and writes their rows when all of them are there."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from adframe.data.image_errors import ImageError
from adframe.data.sources import images_of
from adframe.detector import Detector, load
from adframe.detector.rows import header, row
from adframe.errors import UserError
from adframe.io.atomic import atomic_write
from adframe.io.listing import reading_parquet
from adframe.io.read import sha256_of
from adframe.io.rows import RowWriter
from adframe.jobs.job import Job
from adframe.shards.plan import sources_of

UNREADABLE = ["path", "reason"]  # columns of the file of unreadable images
AT_ONCE = 1024  # rows of a Parquet file that are written together
Write = Callable[[Sequence[Any]], None]


@dataclass(frozen=True)
class ShardJob(Job):
    """The images of one shard to score.

    Attributes:
        run: the run folder, or the file of a detector.
        sha256: digest of its weights.
        out: the output folder, with the plan.
        number: of the shard.
        form: ``csv`` or ``parquet``.
        on_gpu: whether it needs a GPU.
        plugins, without, allow_code: as for ``adframe.load``.
    """

    run: Path
    sha256: str
    out: Path
    number: int
    form: str
    on_gpu: bool = False
    plugins: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    allow_code: bool = False

    @property
    def gpus(self) -> int:
        """One for a run that was trained on one."""
        return int(self.on_gpu)

    def work(self) -> str:
        """Score, unless that is done; the rows come last and mark a whole shard."""
        rows, unreadable = file_of(self.out, self.number, self.form), unread(self.out, self.number)
        if rows.exists():
            return ""
        options = self.plugins, self.without, self.allow_code
        detector = detector_of(self.run, self.sha256, *options)
        with _csv(unreadable, UNREADABLE) as failed, _rows(rows, detector, self.form) as write:
            for image, found in detector.score_files(images_of(sources_of(self.out, self.number))):
                if isinstance(found, ImageError):
                    failed([image, found])
                else:
                    write([image, *row(detector, found)])
        return ""


def file_of(out: Path, number: int, form: str) -> Path:
    """The file of the rows of a shard."""
    return out / "shards" / f"{number:06d}.{form}"


def unread(out: Path, number: int) -> Path:
    """The file of the unreadable images of a shard."""
    return out / "shards" / f"{number:06d}.unreadable.csv"


def weights_of(run: Path) -> str:
    """Digest of what a detector has learned.

    Raises:
        UserError: there is no such file.
    """
    return sha256_of(run if os.path.isfile(run) else run / "model.safetensors")


@lru_cache(maxsize=1)  # a process scores many shards
def detector_of(
    run: Path, sha256: str, plugins: tuple[str, ...], without: tuple[str, ...], allow_code: bool
) -> Detector:
    """The detector of a run, loaded once in a process.

    Raises:
        UserError: it cannot be loaded, or has changed since the plan was made.
    """
    if weights_of(run) != sha256:
        raise UserError(f"{run}: has changed since the first image was scored")
    return load(run, plugins=plugins, without=without, allow_code=allow_code)


@contextmanager
def _csv(path: Path, head: Sequence[str]) -> Iterator[Write]:
    with atomic_write(path) as file:
        lines = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
        writer = RowWriter(lines)
        writer.writerow(head)
        yield writer.writerow
        lines.flush()
        lines.detach()  # the file is closed by atomic_write


@contextmanager
def _rows(path: Path, detector: Detector, form: str) -> Iterator[Write]:
    if form == "csv":
        with _csv(path, header(detector)) as write:
            yield write
        return
    with atomic_write(path) as file, reading_parquet(str(path)) as parquet:
        import pyarrow

        kinds = [pyarrow.string(), *[pyarrow.float64()] * (len(header(detector)) - 1)]
        schema = pyarrow.schema(list(zip(header(detector), kinds, strict=True)))
        rows: list[dict[str, Any]] = []
        with parquet.ParquetWriter(file, schema) as writer:

            def flush() -> None:
                writer.write_batch(pyarrow.RecordBatch.from_pylist(rows, schema))
                rows.clear()

            def write(cells: Sequence[Any]) -> None:
                name = os.fsencode(cells[0]).decode("utf-8", "backslashreplace")
                rows.append(dict(zip(schema.names, [name, *map(float, cells[1:])], strict=True)))
                if len(rows) == AT_ONCE:
                    flush()

            yield write
            flush()
