"""Scores any number of images by an executor, and merges the rows of all shards."""

from __future__ import annotations

import csv
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from adframe.data.masks import LazySequence
from adframe.errors import Stopped, UserError
from adframe.io.atomic import atomic_write
from adframe.io.listing import reading_parquet
from adframe.io.locks import lock_folder
from adframe.io.read import open_regular
from adframe.jobs.executors import Executor
from adframe.jobs.job import Job
from adframe.shards.plan import length_of, make_plan
from adframe.shards.shard import ShardJob, detector_of, file_of, unread, weights_of

EVERY = 5.0  # seconds from one line about the progress to the next
MERGED, UNREADABLE = "scores", "unreadable.csv"  #: what the output folder has at the end


@dataclass(frozen=True)
class Scored:
    """What an output folder holds.

    Attributes:
        images: number of images, of which ``unreadable`` have no score.
        path: the file of all scores; ``unreadable_path`` that of the unreadable images.
    """

    images: int
    unreadable: int
    path: Path
    unreadable_path: Path


def score_shards(
    run: Path,
    paths: Sequence[Path],
    out: Path,
    executor: Executor,
    size: int,
    form: str = "csv",
    report: Callable[[str], None] = lambda line: None,
    **options: Any,
) -> Scored:
    """Score images by an executor; the same call continues where an earlier one was stopped.

    Each image is in one shard, and each shard in the merged file once.

    Args:
        run: the run folder, or the file of a detector.
        paths: images, folders, lists of paths, Parquet files of encoded images.
        out: the folder of the results.
        executor: scores the shards.
        size: images in a shard; rounded up to what the detector scores together, so that scores
            are those of one process to the bit.
        form: ``csv`` or ``parquet``.
        report: gets lines about the progress.
        options: plugins, without, allow_code, as for ``adframe.load``.

    Raises:
        UserError: something cannot be read or written, or a shard failed.
        Stopped: a signal stopped a shard.
    """
    plugins, without = (tuple(map(str, options.get(name, ()))) for name in ("plugins", "without"))
    allow_code = bool(options.get("allow_code"))
    sha256 = weights_of(run)
    detector = detector_of(run, sha256, plugins, without, allow_code)  # what is wrong is known now
    size = -(-size // detector.at_once) * detector.at_once
    on_gpu = detector.config.train.device.startswith("cuda")
    named = [str(path) for path in paths]
    facts = {"weights": sha256, "form": form, "size": size, "within": os.getcwd(), "paths": named}
    with lock_folder(out):
        plan = make_plan(out, paths, facts, size)
        numbers = range(plan["shards"])
        left = [number for number in numbers if not file_of(out, number, form).exists()]
        job = ShardJob(run, sha256, out, -1, form, on_gpu, plugins, without, allow_code)
        _work(job, left, plan, executor, report)
        return _merged(out, plan)


def _work(
    job: ShardJob,
    left: Sequence[int],
    plan: dict[str, Any],
    executor: Executor,
    report: Callable[[str], None],
) -> None:
    """Score the shards that are left; a job is made when it is fetched."""
    jobs = LazySequence[Job](left, lambda number: replace(job, number=number))
    done = plan["images"] - sum(length_of(plan, number) for number in left)
    before, start, failed = done, time.monotonic(), list[str]()
    last = start - EVERY
    with closing(executor.run(jobs)) as ends:
        for index, ended in ends:
            if ended is None:
                continue
            number = left[index]
            if ended.status == "stopped":
                raise Stopped(ended.number, ended.reason)
            if ended.status == "failed":
                raise UserError(f"shard {number}: {ended.reason}")
            if ended.status != "done":
                failed.append(f"shard {number}: {ended.reason or ended.status}")
                continue
            done += length_of(plan, number)
            now = time.monotonic()
            if now - last >= EVERY or done == plan["images"]:
                report(_progress(done, done - before, plan["images"], now - start))
                last = now
    if failed:
        raise UserError("\n".join([*failed, "the same command scores them again"]))


def _progress(done: int, new: int, images: int, seconds: float) -> str:
    rate = new / max(seconds, 1e-9)
    return (
        f"{done:,} of {images:,} images, {rate:,.0f} a second, {_time((images - done) / rate)} left"
    )


def _time(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def _merged(out: Path, plan: dict[str, Any]) -> Scored:
    """Write the rows of all shards into one file, in the order of the plan."""
    numbers, form = range(plan["shards"]), plan["form"]
    path, failed = out / f"{MERGED}.{form}", out / UNREADABLE
    with atomic_write(failed) as file:
        _joined((unread(out, number) for number in numbers), file)
    with open(failed, encoding="utf-8", errors="surrogateescape", newline="") as lines:
        count = sum(1 for _ in csv.reader(lines)) - 1
    files = [file_of(out, number, form) for number in numbers]
    with atomic_write(path) as file:
        if form == "csv":
            _joined(files, file)
        else:
            _joined_parquet(files, file)
    return Scored(plan["images"], count, path, failed)


def _joined(files: Iterable[Path], to: BinaryIO) -> None:
    """Copy CSV files one after the other, with the first line once."""
    for number, path in enumerate(files):
        with open_regular(path) as file:
            head = file.readline()
            if not number:
                to.write(head)
            shutil.copyfileobj(file, to)


def _joined_parquet(files: Sequence[Path], to: BinaryIO) -> None:
    with reading_parquet(str(files[0])) as parquet:
        schema = parquet.read_schema(str(files[0]))
        with parquet.ParquetWriter(to, schema) as writer:
            for path in files:
                with parquet.ParquetFile(str(path)) as file:
                    for batch in file.iter_batches():
                        writer.write_batch(batch)
