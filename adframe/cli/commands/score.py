"""``adframe score``: anomaly scores of image files, as CSV."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from adframe.cli import options
from adframe.errors import UserError
from adframe.io.paths import AnyPath, a_path

if TYPE_CHECKING:
    from adframe.data.decode import ImageError
    from adframe.detector import Detector

summary = "score image files with a run's detector"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare RUN, PATH, ``--out`` and ``--maps``."""
    options.run_folder(parser)
    parser.add_argument("paths", nargs="+", type=a_path, metavar="PATH", help="images or folders")
    parser.add_argument("--out", type=a_path, metavar="FILE", help="write the CSV here")
    parser.add_argument(
        "--watch", action="store_true",
        help="score what arrives in the folders, each image once, and append it to --out",
    )  # fmt: skip
    parser.add_argument(
        "--maps", type=a_path, metavar="DIR", help="write a map and an overlay of each image here"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write path and score of each readable image; returns 2 if an image is unreadable.

    If the run has a ``decision``, write its p-value and whether it is anomalous as well.
    """
    from adframe.data.decode import ImageError
    from adframe.data.find import find_images
    from adframe.detector import load
    from adframe.engine.decision import COLUMNS
    from adframe.io.rows import RowWriter, open_rows
    from adframe.io.terminal import error_line

    _check_out(arguments)
    if arguments.watch:
        return _watch(arguments)
    with open_rows(arguments.out) as out:
        files = find_images(arguments.paths)
        if not files:
            raise UserError("no images in " + ", ".join(map(str, arguments.paths)))
        _check_images(arguments.out, files)
        detector = load(arguments.run, **options.of_plugins(arguments))
        unreadable = 0
        writer = RowWriter(out)
        decided = detector.config.decision is not None
        more = _decisions(detector)
        writer.writerow(["path", "score", *(COLUMNS if decided else [])])
        for file, result in _scored(detector, files, arguments):
            if isinstance(result, ImageError):
                error_line(result)
                unreadable += 1
            else:
                writer.writerow([file, result, *more(result)])
                out.flush()
    if unreadable:
        error_line(f"{unreadable} of {len(files)} files could not be read")
    return 2 if unreadable else 0


def _watch(arguments: argparse.Namespace) -> int:
    """Score what arrives in folders until a signal ends it.

    Raises:
        UserError: the arguments are not those of a watch.
    """
    from adframe.cli.watch import watch
    from adframe.detector import load
    from adframe.engine.decision import COLUMNS

    if arguments.out is None or arguments.maps is not None:
        raise UserError("--watch: appends rows to --out FILE, and writes no maps")
    if files := [path for path in arguments.paths if not os.path.isdir(path)]:
        raise UserError(f"--watch {files[0]}: is not a folder")
    detector = load(arguments.run, **options.of_plugins(arguments))
    more = _decisions(detector)
    columns = COLUMNS if detector.config.decision is not None else []
    header = ["path", "score", *columns]
    watch(detector, arguments.paths, arguments.out, header, lambda score: [score, *more(score)])
    return 0


def _decisions(detector: Detector) -> Callable[[float], list[float | int]]:
    """Function that returns the p-value of a score and whether it is anomalous, if decided."""
    if detector.config.decision is None:
        return lambda score: []
    import numpy as np

    from adframe.engine.decision import columns, p_values

    known, decision = detector.calibration, detector.config.decision
    assert decision is not None

    def of(score: float) -> list[float | int]:
        value = p_values(np.array([score], dtype=np.float32), known)
        return [cell for (cell,) in columns(value, decision.false_alarms)]

    return of


def _scored(
    detector: Detector, files: list[Path], arguments: argparse.Namespace
) -> Iterable[tuple[AnyPath, float | ImageError]]:
    """Score files one after another; with ``--maps``, write a map of each.

    Raises:
        UserError: the scorer gives no maps, or they cannot be written.
    """
    if arguments.maps is None:
        yield from detector.score_files(files)
        return
    from adframe.data.decode import ImageError, read_image
    from adframe.data.map_files import map_paths, scale_of, write_map

    folder: Path = arguments.maps
    explained = detector.explain_files(files)
    _check_maps(folder, files)
    scale = scale_of(arguments.run / "result.json")
    for (file, found), path in zip(explained, map_paths(files, folder), strict=True):
        if isinstance(found, ImageError):
            yield file, found
            continue
        assert found.map is not None
        pixels = read_image(file).permute(1, 2, 0).numpy()
        write_map(path, found.map, pixels, scale)
        yield file, found.score


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
