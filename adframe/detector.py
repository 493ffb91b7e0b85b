"""Scores images with a finished run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adframe.config.model import RunConfig, load_config, validate_tree
from adframe.config.yaml_tree import parse
from adframe.data.arrays import ImagesLike, listed, paths_of
from adframe.data.decode import ImageError, report_unreadable
from adframe.data.map_files import Explanation
from adframe.data.prepare import prepared
from adframe.data.reading import ReadAs
from adframe.engine import model_file
from adframe.engine.adapt import Adapting
from adframe.engine.build import Assembly, assemble
from adframe.engine.decision import calibration_of, p_values
from adframe.engine.explain import Explainer
from adframe.engine.global_state import kept
from adframe.io.paths import AnyPath, as_path
from adframe.registry.loading import installed


class Detector(Adapting):
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
    ) -> None:
        self.config = config
        self._calibration = calibration
        self._facts = facts
        self.method = assembly.method
        self.shifts = assembly.shifts
        self.scorers = assembly.scorers
        #: channels, height, width of the training images
        self.size: tuple[int, ...] = tuple(facts["image_size"])
        self._dataset = assembly.dataset

    @property
    def reading(self) -> ReadAs:
        """How files are read, as in training."""
        return ReadAs(self.size[1:], self._dataset.depth, self._dataset.fit)

    def _explainer(self, neighbours: int = 0) -> Explainer:
        parts = (self.scorers[0], self.method, self.shifts, self.config.seed, self.reading)
        known = None if not self._calibration else self._calibration[0]
        return Explainer(*parts, self._facts.get("names", ()), neighbours,
                         None if known is None else known.numpy())  # fmt: skip

    def __repr__(self) -> str:
        names = ", ".join(spec.entry.name for spec in self.config.scorer)
        pixels = "x".join(map(str, self.size[1:]))
        return f"Detector({self.config.backbone.entry.name}, {names}, {pixels} pixels)"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the config, the paths of plugin files, and what was learned."""
        loaded = {plugin.key for plugin in self.config.loaded.registry.plugins}
        without = [one.plugin.key for one in installed() if one.plugin.key not in loaded]
        learned = (self.method, self.scorers, self._facts, self._calibration)
        model = model_file.packed(self.config, *learned)
        return _unpickled, (self.config.yaml(), self.config.plugins, without, *model)

    def score(self, images: ImagesLike) -> np.ndarray:
        """Anomaly scores, shape (N,), float32; higher is more anomalous.

        Args:
            images: one image or several: paths, PIL images, arrays or tensors. All are brought to
                size as in training. Arrays are uint8, uint16, or floating point in 0..1; of
                shape (H, W), (H, W, C), (N, H, W, C) or (N, C, H, W), with 1, 3 or 4 channels.
                A tensor may also be (C, H, W). They score as a PNG file of these pixels.

        Raises:
            UserError: a file is unreadable, or pixels have another shape or type, or can be read
                in two ways.
        """
        images = listed(images)
        if paths := paths_of(images):
            found = [result for _, result in self.score_files(paths)]
            errors = [error for error in found if isinstance(error, ImageError)]
            report_unreadable(errors, len(found), skip_unreadable=False)
            return np.array(found, dtype=np.float32)
        explained = self._explainer().of_pixels(prepared(images, self.reading))
        return np.array([each.score for each in explained], dtype=np.float32)

    @property
    def calibration(self) -> np.ndarray:
        """Sorted scores of the calibration images, float32.

        Raises:
            UserError: the run has no ``decision``, or the scorer was fitted again.
        """
        return calibration_of(self.config, self._calibration)

    def p_values(self, images: ImagesLike) -> np.ndarray:
        """Conformal p-values, shape (N,), float64, in (0, 1]: small for anomalous images.

        Args:
            images: as for ``score``.

        Raises:
            UserError: as for ``calibration`` and ``score``.
        """
        known = self.calibration  # before any image is read
        return p_values(self.score(images), known)

    def decide(self, images: ImagesLike) -> np.ndarray:
        """Whether each image is anomalous, shape (N,), bool, at the ``false_alarms`` of the run.

        Arguments and errors are those of ``p_values``.
        """
        values = self.p_values(images)  # it refuses a config without a decision
        return values <= self.config.decision.false_alarms  # type: ignore[union-attr]

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
        explainer = self._explainer(neighbours)
        return map(explainer.of_file_size, explainer.of_files(paths))


def load(
    folder: str | Path,
    *,
    plugins: AnyPath | Iterable[AnyPath] = (),
    without: str | Iterable[str] = (),
    allow_code: bool = False,
) -> Detector:
    """Loads the detector of a finished run.

    Args:
        folder: a run folder.
        plugins, without, allow_code: as for ``load_config``.

    Raises:
        UserError: the folder holds no finished run, or a file of it is damaged.
    """
    folder = as_path(folder)
    with kept():
        model = model_file.model_facts(folder)
        config = load_config(
            folder / "config.yaml", plugins=plugins, without=without, allow_code=allow_code
        )
        model_file.check_model(folder, config, model[1])
        tensors, facts = model
        facts = {**facts, "names": model_file.training_names(folder / "training.csv")}
        return _restored(config, (tensors, facts), folder / "model.safetensors")


def _restored(config: RunConfig, model: model_file.Model, path: Path) -> Detector:
    tensors, facts = model
    height, width = facts["image_size"][1:]
    assembly = assemble(config, len(facts["classes"]), (height, width))
    calibration = model_file.restore_model(path, (tensors, facts), config, assembly)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assembly.method.to(torch.device(device)).to(memory_format=torch.channels_last).eval()
    return Detector(config, assembly, facts, calibration)


def _unpickled(
    text: str, plugins: list[str], without: list[str], tensors: Any, facts: dict[str, Any]
) -> Detector:
    """The detector that ``Detector.__reduce__`` has pickled."""
    here = {source.plugin.key for source in installed()}
    without = [key for key in without if key in here]
    with kept():
        node = parse(text, "pickled config")
        config = validate_tree(node, "pickled config", plugins, without, allow_code=True)
        return _restored(config, (tensors, facts), Path("pickled detector"))
