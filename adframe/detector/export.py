"""Exports a detector to one file for other runtimes, and compares it with the detector."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch

from adframe._version import __version__
from adframe.data.arrays import ImagesLike
from adframe.data.prepare import prepared
from adframe.detector.detector import Detector
from adframe.detector.exported import EXTRA, KEY, NEEDS, Runtime, onnx_runtime
from adframe.detector.graph import Graph, explained
from adframe.errors import UserError
from adframe.io.atomic import write
from adframe.io.folders import check_no_run_file
from adframe.io.paths import AnyPath, as_path
from adframe.io.read import read_bytes
from adframe.registry.registry import reason

Target = Literal["onnx", "torch"]
Pixel = Literal["uint8", "float32"]

CLOSE = 1e-4  # largest difference of a score that is accepted, of the largest score or of 1
MOST = 200  # images that are compared
MAX_BYTES = 1 << 31  # of a file: no ONNX file without further files can be larger
BATCHES = (1, 5)  # images that are compared at a time: the batch is dynamic


@dataclass(frozen=True)
class Parity:
    """How the scores of an exported file differ from those of the detector.

    Attributes:
        images: number of images that were compared.
        difference: the largest difference of a score.
        disagreements: images on whose decision the two differ, if there are decisions.
    """

    images: int
    difference: float
    disagreements: int | None = None


def export(
    detector: Detector,
    file: AnyPath,
    to: Target = "onnx",
    images: ImagesLike | None = None,
    pixels: Pixel = "uint8",
) -> Parity:
    """Writes a detector as one file for another runtime: from pixels to scores.

    The file holds preprocessing, deterministic views, network, scorer, maps, threshold and
    metadata. It is compared with the detector on real images; nothing is written if they differ.

    Args:
        detector: its first scorer is exported.
        file: the file to write.
        to: ``onnx``, or ``torch`` for a file that ``torch.export.load`` reads.
        images: images to compare on; by default test images of the detector's data set.
        pixels: type of the input, (N, 3, H, W) of the size of ``detector.reading``: uint8, or
            float32 in 0..1.

    Raises:
        UserError: a component cannot be exported, with the reason; or the scores differ.
    """
    check_no_run_file(as_path(file))
    given = _images(detector, images)
    graph = Graph(detector).eval()
    program = _traced(detector, graph, given[:2], pixels)
    facts = _facts(detector, graph, pixels)
    with TemporaryDirectory() as folder:
        path = Path(folder, "detector")
        runtime = (_to_onnx if to == "onnx" else _to_torch)(program, path, facts, graph.outputs)
        parity = _compared(detector, graph, runtime, given, pixels)
        write(as_path(file), read_bytes(path, MAX_BYTES))
    return parity


def _images(detector: Detector, images: ImagesLike | None) -> torch.Tensor:
    if images is not None:
        found = prepared(images, detector.reading)[:MOST]
    else:
        try:
            found = detector.dataset.load(detector.config.seed).test.pixels[:MOST]
        except UserError as error:
            raise UserError(f"{error}; name images to compare on with --check") from error
    if len(found) < 2:
        raise UserError("at least 2 images are needed to compare on")
    return found


def _as_input(images: torch.Tensor, pixels: Pixel) -> torch.Tensor:
    return images if pixels == "uint8" else images.float() / 255


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch prints and logs about a graph away: a refusal is one line."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        with warnings.catch_warnings(), open(os.devnull, "w") as nothing:
            warnings.simplefilter("ignore")
            with redirect_stdout(nothing), redirect_stderr(nothing):
                yield
    finally:
        logging.disable(before)


@torch.no_grad()
def _traced(
    detector: Detector, graph: Graph, images: torch.Tensor, pixels: Pixel
) -> torch.export.ExportedProgram:
    shapes = ({0: torch.export.Dim("batch")},)
    for parameter in graph.parameters():
        parameter.requires_grad_(False)
    with _quiet():
        try:
            given = (_as_input(images, pixels),)
            return torch.export.export(graph, given, dynamic_shapes=shapes, strict=False)
        except Exception as error:  # of any component
            raise explained(detector, reason(error)) from error


def _facts(detector: Detector, graph: Graph, pixels: Pixel) -> dict[str, Any]:
    return {
        "adframe": __version__,
        "input": {"name": "images", "type": pixels, "shape": ["batch", *detector.size]},
        "reading": detector.reading.facts,
        "outputs": graph.outputs,
        "threshold": graph.threshold if isfinite(graph.threshold or 0.0) else None,
        "higher": "more anomalous",
        "backbone": detector.config.backbone.entry.name,
        "scorer": detector.config.scorer[0].entry.name,
    }


def _to_torch(
    program: torch.export.ExportedProgram, path: Path, facts: dict[str, Any], outputs: list[str]
) -> Runtime:
    named = path.with_suffix(".pt2")
    with _quiet():
        torch.export.save(program, named, extra_files={EXTRA: json.dumps(facts)})
    os.replace(named, path)
    module = program.module()
    return lambda batch: [found.numpy() for found in module(torch.from_numpy(batch))]


def _to_onnx(
    program: torch.export.ExportedProgram, path: Path, facts: dict[str, Any], outputs: list[str]
) -> Runtime:
    """Write and check an ONNX file.

    Raises:
        UserError: a library is missing, or an operation has no form in ONNX.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"--to onnx needs {NEEDS}") from error
    try:
        with _quiet():
            made: Any = torch.onnx.export(
                program, dynamo=True, input_names=["images"], output_names=outputs, verbose=False
            )
            model = made.model_proto
    except Exception as error:  # of the exporter, for an operation that ONNX does not have
        first: BaseException = error
        while first.__cause__ is not None:  # the last one names the step only
            first = first.__cause__
        raise UserError(f"cannot be exported to ONNX: {reason(first)}; try --to torch") from error
    onnx.helper.set_model_props(model, {KEY: json.dumps(facts)})
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return onnx_runtime(path)[1]


def _compared(
    detector: Detector, graph: Graph, runtime: Runtime, images: torch.Tensor, pixels: Pixel
) -> Parity:
    """Compare the scores of a file with those of a detector.

    Raises:
        UserError: they differ.
    """
    expected = detector.score_prepared(images)
    inputs = _as_input(images, pixels).numpy()
    found, decided = list[np.ndarray](), list[np.ndarray]()
    at = 0
    while at < len(inputs):
        batch = inputs[at : at + BATCHES[len(found) % len(BATCHES)]]
        outputs = dict(zip(graph.outputs, runtime(batch), strict=True))
        found.append(outputs["scores"])
        decided.append(outputs.get("anomalous", np.zeros(len(batch), bool)))
        at += len(batch)
    scores = np.concatenate(found)
    difference = float(np.abs(scores - expected).max())
    if not difference <= CLOSE * max(1.0, float(np.abs(expected).max())):
        raise UserError(f"the exported scores differ by up to {difference:.2g}; nothing is written")
    if graph.threshold is None:
        return Parity(len(images), difference)
    wrong = int((np.concatenate(decided) != (expected >= graph.threshold)).sum())
    return Parity(len(images), difference, wrong)
