"""Scores images with an exported file, without the network in Python."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adframe.data.arrays import ImagesLike
from adframe.data.prepare import prepared
from adframe.data.reading import ReadAs
from adframe.errors import UserError
from adframe.io.paths import AnyPath, as_path
from adframe.registry.registry import reason

Runtime = Callable[[np.ndarray], Sequence[np.ndarray]]  #: images -> outputs in the file's order

BATCH = 64  # images that are passed to the runtime at once
KEY = "adframe"  # of the metadata of an ONNX file
EXTRA = "adframe.json"  # the same in a file of torch
NEEDS = "onnx, onnxscript and onnxruntime: pip install 'adframe[export]'"


class ExportedDetector:
    """A file of ``adframe export``, which scores images as ``Detector`` does.

    Images of any size and kind are prepared as the detector prepares them.
    """

    def __init__(self, facts: Mapping[str, Any], runtime: Runtime) -> None:
        self.facts = facts
        self.size: tuple[int, ...] = tuple(facts["input"]["shape"][1:])
        self.reading = ReadAs.of_facts(self.size[1:], facts["reading"])
        self.outputs: list[str] = list(facts["outputs"])
        #: the smallest score that is called anomalous, or infinity; None without a ``decision``
        self.threshold: float | None = facts["threshold"]
        if self.threshold is None and "anomalous" in self.outputs:
            self.threshold = math.inf
        self._as_float = facts["input"]["type"] == "float32"
        self._runtime = runtime

    def __repr__(self) -> str:
        pixels = "x".join(map(str, self.size[1:]))
        return (
            f"ExportedDetector({self.facts['backbone']}, {self.facts['scorer']}, {pixels} pixels)"
        )

    def score(self, images: ImagesLike) -> np.ndarray:
        """Anomaly scores, shape (N,), float32; higher is more anomalous.

        Args:
            images: one image or several, as for ``Detector.score``.

        Raises:
            UserError: as for ``Detector.score``.
        """
        return self.run(images)["scores"]

    def decide(self, images: ImagesLike) -> np.ndarray:
        """Whether each image is anomalous, shape (N,), bool.

        Raises:
            UserError: the file has no threshold; or as for ``score``.
        """
        if self.threshold is None:
            raise UserError("the file has no threshold: its run has no decision")
        return self.run(images)["anomalous"]

    def run(self, images: ImagesLike) -> dict[str, np.ndarray]:
        """All outputs of the file by name: ``scores``, ``maps`` and ``anomalous``, if there are."""
        pixels = prepared(images, self.reading).numpy()
        given = pixels.astype(np.float32) / 255 if self._as_float else pixels
        found = [
            self._runtime(given[start : start + BATCH]) for start in range(0, len(given), BATCH)
        ]
        if not found:
            raise UserError("there are no images")
        return {
            name: np.concatenate(parts)
            for name, parts in zip(self.outputs, zip(*found, strict=True), strict=True)
        }


def load_export(file: AnyPath) -> ExportedDetector:
    """Loads a file of ``adframe export``: ONNX with onnxruntime, or torch.

    Load a file of torch only if you trust where it comes from: torch may run code in it.

    Raises:
        UserError: it is no such file, it is damaged, or onnxruntime is missing; one line.
    """
    path = as_path(file)
    try:
        with open(path, "rb") as stream:
            zipped = stream.read(2) == b"PK"
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    try:
        return ExportedDetector(*(_torch if zipped else onnx_runtime)(path))
    except UserError:
        raise
    except Exception as error:  # a reader may raise anything
        raise UserError(f"{path}: no file of adframe export: {reason(error)}") from error


def onnx_runtime(path: Path) -> tuple[Mapping[str, Any], Runtime]:
    """Metadata of an ONNX file, and a function that runs it.

    Raises:
        UserError: onnxruntime is missing.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(f"an ONNX file needs {NEEDS}") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors, which are raised too
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map[KEY])

    def run(batch: np.ndarray) -> Sequence[np.ndarray]:
        found: Sequence[np.ndarray] = session.run(None, {facts["input"]["name"]: batch})
        return found

    return facts, run


def _torch(path: Path) -> tuple[Mapping[str, Any], Runtime]:
    extra = {EXTRA: ""}
    with open(path, "rb") as file:  # by name, torch reads only those that end with .pt2
        module = torch.export.load(file, extra_files=extra).module()
    return json.loads(extra[EXTRA]), lambda batch: [
        found.numpy() for found in module(torch.from_numpy(batch))
    ]
