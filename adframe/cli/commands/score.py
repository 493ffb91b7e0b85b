"""``adframe score``: anomaly scores of image files, as CSV."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from adframe.cli import options
from adframe.errors import UserError
from adframe.io.paths import AnyPath, a_path

if TYPE_CHECKING:
    from adframe.data.decode import ImageError
    from adframe.data.map_files import Explanation
    from adframe.data.sources import Source
    from adframe.detector import Detector

NEIGHBOURS = 3  # nearest training images that --explain names

summary = "score image files with a run's detector"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare RUN, PATH, ``--out``, ``--on``, ``--watch``, ``--maps`` and ``--explain``."""
    options.run_folder(parser)
    parser.add_argument(
        "paths", nargs="+", type=a_path, metavar="PATH",
        help="images, folders, or .txt, .csv, .parquet files that list or hold images",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=a_path, metavar="FILE", help="write the CSV here; with --on, a folder"
    )
    parser.add_argument(
        "--on", metavar="WHERE",
        help="in shards, resumed by the same command: local, local:N processes, ray, submitit",
    )  # fmt: skip
    parser.add_argument(
        "--shard", type=int, metavar="N", help="with --on: images in a shard (4096)"
    )
    parser.add_argument(
        "--format", choices=["csv", "parquet"], help="with --on: format of the rows (csv)"
    )
    parser.add_argument(
        "--watch", action="store_true",
        help="score what arrives in the folders, each image once, and append it to --out",
    )  # fmt: skip
    parser.add_argument(
        "--maps", type=a_path, metavar="DIR", help="write a map and an overlay of each image here"
    )
    parser.add_argument(
        "--explain", action="store_true", help="add the nearest training images and their distance"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write path and score of each readable image; returns 2 if an image is unreadable.

    If the run has a ``decision``, write its p-value and whether it is anomalous as well.
    """
    from adframe.data.decode import ImageError
    from adframe.data.sources import count, each_source
    from adframe.detector import load
    from adframe.detector.rows import header, row
    from adframe.io.rows import RowWriter, open_rows
    from adframe.io.terminal import Screen, error_line

    _check_out(arguments)
    if arguments.watch:
        return _watch(arguments)
    if arguments.on is not None or arguments.shard is not None or arguments.format is not None:
        from adframe.cli.shards import score_in_shards

        return score_in_shards(arguments)
    with open_rows(arguments.out) as out:
        sources = list(each_source(arguments.paths))
        if not sources:
            raise UserError("no images in " + ", ".join(map(str, arguments.paths)))
        files = [source for source in sources if isinstance(source, Path)]
        if len(files) < len(sources) and (arguments.maps is not None or arguments.explain):
            raise UserError("--maps and --explain: need image files, not images in Parquet files")
        images = sum(map(count, sources))
        _check_images(arguments.out, files)
        detector = load(arguments.run, **options.of_plugins(arguments))
        unreadable = 0
        writer = RowWriter(out)
        near = [f"{name}_{place + 1}" for place in range(NEIGHBOURS * arguments.explain)
                for name in ("nearest", "distance")]  # fmt: skip
        start = time.monotonic()
        writer.writerow([*header(detector), *near])
        for file, found in _explained(detector, sources, arguments):
            if isinstance(found, ImageError):
                error_line(found)
                unreadable += 1
                continue
            cells = [cell for neighbour in found.nearest for cell in neighbour]
            cells += [""] * (len(near) - len(cells))
            writer.writerow([file, *row(detector, found.score), *cells[: len(near)]])
            out.flush()
    if sys.stderr.isatty():
        seconds = time.monotonic() - start
        Screen(sys.stderr).line(f"{images / seconds:.1f} images a second")
    if unreadable:
        error_line(f"{unreadable} of {images} files could not be read")
    return 2 if unreadable else 0


def _watch(arguments: argparse.Namespace) -> int:
    """Score what arrives in folders until a signal ends it.

    Raises:
        UserError: the arguments are not those of a watch.
    """
    from adframe.cli.watch import watch
    from adframe.detector import load
    from adframe.detector.rows import header, row

    more = (arguments.maps, arguments.on, arguments.shard, arguments.format)
    if arguments.out is None or arguments.explain or more != (None,) * len(more):
        raise UserError("--watch: appends rows to --out FILE, without --maps, --explain and --on")
    if files := [path for path in arguments.paths if not os.path.isdir(path)]:
        raise UserError(f"--watch {files[0]}: is not a folder")
    detector = load(arguments.run, **options.of_plugins(arguments))
    columns = header(detector)
    watch(detector, arguments.paths, arguments.out, columns, lambda score: row(detector, score))
    return 0


def _explained(
    detector: Detector, sources: list[Source], arguments: argparse.Namespace
) -> Iterator[tuple[AnyPath, Explanation | ImageError]]:
    """Score files one after another; with ``--maps``, write a map of each.

    Raises:
        UserError: the scorer gives no maps or knows no nearest images, or maps cannot be written.
    """
    from adframe.data.decode import ImageError
    from adframe.data.map_files import Explanation, map_paths, scale_of, write_map
    from adframe.data.sources import images_of
    from adframe.engine.explain import finds_nearest
    from adframe.interfaces import MapScorer
    from adframe.registry.registry import name_of

    scorer, files = detector.scorers[0], [each for each in sources if isinstance(each, Path)]
    if arguments.explain and not finds_nearest(scorer):
        raise UserError(f"--explain: {name_of(scorer)} compares with no training images")
    if arguments.maps is None and arguments.explain:
        yield from detector.explain_files(files, NEIGHBOURS)
        return
    if arguments.maps is None:
        for file, one in detector.score_files(images_of(sources)):
            yield file, one if isinstance(one, ImageError) else Explanation(one, None)
        return
    if not isinstance(scorer, MapScorer):
        raise UserError(f"{name_of(scorer)} gives no maps; train with a scorer that does")
    if arguments.run.is_file():
        raise UserError(f"{arguments.run}: holds no range of maps; name its run folder for --maps")
    folder: Path = arguments.maps
    _check_maps(folder, files)
    scale = scale_of(arguments.run / "result.json")
    explained = detector.explain_files(files)
    for (file, found), path in zip(explained, map_paths(files, folder), strict=True):
        if not isinstance(found, ImageError):
            assert found.map is not None
            assert found.pixels is not None
            write_map(path, found.map, found.pixels, scale)
        yield file, found


def _check_maps(folder: Path, files: Iterable[Path]) -> None:
    """Make the folder for maps; it must hold no image to score.

    Raises:
        UserError: it holds one, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = os.stat(folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--maps {folder}: cannot be made: {reason}") from error
    for parent in {os.path.dirname(file) or "." for file in files}:
        with suppress(OSError, ValueError):
            if os.path.samestat(os.stat(parent), place):
                raise UserError(f"--maps {folder}: holds images to score; choose another folder")


def _check_out(arguments: argparse.Namespace) -> None:
    """Refuse an output that would replace a file of the run.

    Raises:
        UserError: it would.
    """
    if arguments.out is None:
        return
    out = os.path.realpath(arguments.out)
    run_folder = os.path.realpath(arguments.run)
    is_run = os.path.isfile(os.path.join(run_folder, "config.yaml"))  # else that is the error
    if os.path.isfile(out) and is_run and os.path.dirname(out) == run_folder:
        raise UserError(f"{arguments.out}: is a file of the run; choose another --out")


def _check_images(out: Path | None, files: Iterable[Path]) -> None:
    """Refuse an output that would replace an image to score, also through a link.

    Raises:
        UserError: it would.
    """
    if out is None or not os.path.isfile(out):
        return
    target = os.stat(out)
    for file in files:
        with suppress(OSError, ValueError):  # an unreadable file is reported when it is opened
            if os.path.samestat(os.stat(file), target):
                raise UserError(f"{out}: is an image to score, {file}; choose another --out")
