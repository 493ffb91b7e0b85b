"""Scores images with a finished run."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adframe.config.model import RunConfig
from adframe.data.ahead import report_unreadable
from adframe.data.arrays import ImagesLike, listed, paths_of
from adframe.data.decode import ImageError
from adframe.data.map_files import Explanation, Neighbour
from adframe.data.prepare import prepared
from adframe.data.reading import ReadAs
from adframe.data.region import Region
from adframe.detector import saved
from adframe.detector.deciding import Deciding
from adframe.engine import model_file
from adframe.engine.adapt import Adapting
from adframe.engine.build import Assembly, assemble
from adframe.engine.explain import Explainer, finds_nearest
from adframe.engine.features import MIN_BATCH
from adframe.engine.fold import folded
from adframe.engine.global_state import kept
from adframe.errors import UserError
from adframe.interfaces import Method
from adframe.io.paths import AnyPath, as_path
from adframe.registry.registry import name_of


class Detector(Deciding, Adapting):
    """A trained method with its fitted scorers; ``adframe.load`` reads it from a run folder.

    Scores are those of the first scorer. A detector can be pickled and copied for other processes,
    which load the files of its plugins again.

    Example::

        detector = adframe.load("runs/quickstart-1")
        detector.score("photo.jpg")                 # array([0.31], dtype=float32)
        detector.score(adframe.find_images("new"))  # one score for each file
    """

    def __init__(
        self,
        config: RunConfig,
        assembly: Assembly,
        facts: Mapping[str, Any],
        calibration: model_file.Calibration = (),
        names: Sequence[str] = (),
    ) -> None:
        self.config = config
        #: names of the images that the scorers were fitted on, such as their paths
        self.names = list(names)
        self._least = MIN_BATCH
        self._calibration = calibration
        self._facts = facts
        self.method = self._saved = assembly.method
        self._folded: Method | None = None
        self.shifts, self.scorers = assembly.shifts, assembly.scorers
        #: channels, height, width of the training images
        self.size: tuple[int, ...] = tuple(facts["image_size"])
        self.dataset = assembly.dataset
        self._region = Region.of_facts(facts.get("region"))

    @property
    def reading(self) -> ReadAs:
        """How files are read, as in training."""
        data = self.dataset
        return ReadAs(self.size[1:], data.depth, data.fit, self._region, data.draft)

    @property
    def _form(self) -> Method:
        """The method as it scores: with batch normalisations folded into convolutions."""
        if self._folded is None:
            self._folded = folded(self.method, self.size)
        return self._folded

    def _explainer(self, neighbours: int = 0) -> Explainer:
        parts = (self.scorers[0], self._form, self.shifts, self.config.seed, self.reading)
        known = None if not self._calibration else self._calibration[0]
        values = None if known is None else known.numpy()
        return Explainer(*parts, self.names, neighbours, values, self._least)

    def __repr__(self) -> str:
        names = ", ".join(spec.entry.name for spec in self.config.scorer)
        pixels = "x".join(map(str, self.size[1:]))
        return f"Detector({self.config.backbone.entry.name}, {names}, {pixels} pixels)"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the config, and what was learned."""
        return _unpickled, (self.config, *self._model())

    def _model(self) -> model_file.Model:
        learned = self.scorers, self._facts, self._calibration, self.names
        return model_file.packed(self.config, self._saved, *learned)

    def save(self, file: AnyPath) -> None:
        """Write all that scoring needs into one safetensors file for ``adframe.load``: no image.

        It names the plugins that it needs, with version and hash.

        Raises:
            UserError: the file cannot be written.
        """
        saved.write(as_path(file), self.config, self._model())

    def quick(self) -> Detector:
        """A copy for images that come one by one: up to four times as fast for one image.

        Batches are not filled up: equal to about 1e-5 only.
        """
        quick = copy.copy(self)
        quick.scorers = copy.deepcopy(self.scorers)
        quick._folded, quick._least = self._form, 1
        return quick

    def nearest(self, image: ImagesLike, k: int = 5) -> list[Neighbour]:
        """Name and distance of the ``k`` images nearest to one image, of those fitted on.

        Args:
            image: one image, as for ``score``.

        Raises:
            UserError: the scorer compares with no images, it is not one image, or as for ``score``.
        """
        if not (finds_nearest(self.scorers[0]) and self.names):
            raise UserError(f"{name_of(self.scorers[0])} compares with no training images")
        found = self.explain(image, k)
        if len(found) != 1:
            raise UserError(f"expected one image, not {len(found)}")
        return list(found[0].nearest)

    def score(self, images: ImagesLike) -> np.ndarray:
        """Anomaly scores, shape (N,), float32; higher is more anomalous.

        Args:
            images: one image or several: paths, PIL images, bytes of image files, arrays or
                tensors. All are brought to size as in training. Arrays are uint8, uint16, or
                floating point in 0..1; of shape (H, W), (H, W, C), (N, H, W, C) or (N, C, H, W),
                with 1, 3 or 4 channels. A tensor may also be (C, H, W). They score as a PNG file
                of these pixels.

        Raises:
            UserError: a file is unreadable, or pixels have another shape or type, or can be read
                in two ways.
        """
        if paths := paths_of(images := listed(images)):
            found = [result for _, result in self.score_files(paths)]
            errors = [error for error in found if isinstance(error, ImageError)]
            report_unreadable(errors, len(found), skip_unreadable=False)
            return np.array(found, dtype=np.float32)
        return self.score_prepared(prepared(images, self.reading))

    def score_prepared(self, pixels: torch.Tensor) -> np.ndarray:
        """Scores of images that are as the network sees them: (N, 3, H, W) uint8."""
        found = self._explainer().of_pixels(pixels)
        return np.array([each.score for each in found], dtype=np.float32)

    def score_files(
        self, paths: AnyPath | Iterable[AnyPath]
    ) -> Iterator[tuple[AnyPath, float | ImageError]]:
        """Score image files one after another; memory does not grow with their number.

        Args:
            paths: one image file or several.

        Yields:
            Each path with its score, in the order given; or with an ``ImageError`` if the file is
            unreadable.

        Raises:
            UserError: one of the paths is no path.
        """
        for path, found in self._explainer().of_files(paths):
            yield path, found if isinstance(found, ImageError) else found.score

    @property
    def at_once(self) -> int:
        """Number of files that ``score_files`` scores together.

        A file scores the same, to the bit, in another list if the files before it are whole blocks.
        """
        return self._explainer().at_once

    def explain(self, images: ImagesLike, neighbours: int = 3) -> list[Explanation]:
        """Score images, with what each score comes from; maps have the size of the network's input.

        Arguments and errors are those of ``score`` and ``explain_files``.
        """
        return self._explainer(neighbours).of_pixels(prepared(images, self.reading))

    def explain_files(
        self, paths: AnyPath | Iterable[AnyPath], neighbours: int = 3
    ) -> Iterator[tuple[AnyPath, Explanation | ImageError]]:
        """Score image files one after another, with what each score comes from.

        Args:
            paths: one image file or several.
            neighbours: number of nearest training images to name.

        Returns:
            Each path with its score, map, p-value and nearest training images, as far as the run
            and its scorer have them; or with an ``ImageError``.

        Raises:
            UserError: as for ``score_files``.
        """
        return self._explainer(neighbours).of_whole_files(paths)


def restored(config: RunConfig, model: model_file.Model, path: Path) -> Detector:
    """The detector of a model, from ``model_facts`` or ``packed``; ``path`` is for messages."""
    tensors, facts = model
    height, width = facts["image_size"][1:]
    assembly = assemble(config, len(facts["classes"]), (height, width))
    calibration = model_file.restore_model(path, (tensors, facts), config, assembly)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assembly.method.to(torch.device(device)).to(memory_format=torch.channels_last).eval()
    return Detector(config, assembly, facts, calibration, model_file.names_of(tensors))


def _unpickled(config: RunConfig, tensors: Any, facts: dict[str, Any]) -> Detector:
    """The detector that ``Detector.__reduce__`` has pickled."""
    with kept():
        return restored(config, (tensors, facts), Path("pickled detector"))
