"""What is scored in which shard, written down once, before anything is scored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

from adframe.data.encoded import Rows
from adframe.data.sources import Source, count, each_source
from adframe.errors import UserError
from adframe.io import atomic
from adframe.io.paths import make_folders
from adframe.io.read import open_regular
from adframe.io.work_folder import earlier_work

PLAN = "plan.json"  #: in the output folder; it is written last, so it marks a whole plan
SHARD = 4096  # images


def make_plan(out: Path, paths: Iterable[Path], facts: dict[str, Any], size: int) -> dict[str, Any]:
    """The plan of an output folder: the one it has, or one of the images there are now.

    Args:
        out: the folder, which is locked.
        paths: what to score, as for ``each_source``.
        facts: what makes it this work; the folder of other work is refused.
        size: images in a shard.

    Returns:
        the facts, with the number of ``shards`` and of ``images``.

    Raises:
        UserError: there are no images, a source cannot be read, or the folder holds other things.
    """
    path = out / PLAN
    known = earlier_work(
        path, facts, "scores", "the scores of other work", lambda name: name == "plan"
    )
    if known is not None:
        return known
    shards = images = 0
    for shards, (lines, length) in enumerate(_shards(each_source(paths), size), 1):
        make_folders(out / "plan")
        atomic.write(_file(out, shards - 1), "".join(lines))
        images += length
    if not images:
        raise UserError("no images in " + ", ".join(map(str, paths)))
    plan = {**facts, "shards": shards, "images": images}
    make_folders(out / "shards")
    atomic.write_json(path, plan)
    return plan


def sources_of(out: Path, number: int) -> Iterator[Source]:
    """The sources of one shard.

    Raises:
        UserError: the plan cannot be read.
    """
    with open_regular(_file(out, number)) as lines:
        for line in lines:
            found = json.loads(line)
            yield Path(found) if isinstance(found, str) else Rows(*found)


def length_of(plan: dict[str, Any], number: int) -> int:
    """Number of images of a shard: all but the last have the same."""
    return int(min(plan["size"], plan["images"] - number * plan["size"]))


def _file(out: Path, number: int) -> Path:
    return out / "plan" / f"{number:06d}.jsonl"


def _shards(sources: Iterable[Source], size: int) -> Iterator[tuple[list[str], int]]:
    """Lines of a plan, and how many images they are, for each shard."""
    lines: list[str] = []
    length = 0
    for source in sources:
        for piece in _pieces(source, size, length):
            parts = astuple(piece) if isinstance(piece, Rows) else str(piece)
            lines.append(json.dumps(parts) + "\n")
            length += count(piece)
            if length == size:
                yield lines, length
                lines, length = [], 0
    if lines:
        yield lines, length


def _pieces(source: Source, size: int, length: int) -> Iterator[Source]:
    """A source cut where shards of ``size`` end, of which the first has ``length`` already."""
    if not isinstance(source, Rows):
        yield source
        return
    first = source.first
    while first < source.last:
        last = min(source.last, first + size - length)
        yield Rows(source.file, first, last)
        first, length = last, 0
