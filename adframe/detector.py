"""Scores images with a finished run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from adframe.config.model import RunConfig, load_config, validate_tree
from adframe.config.yaml_tree import parse
from adframe.data.arrays import ImagesLike, as_batch, as_images, listed, paths_of
from adframe.data.decode import ImageError, as_pixels, attempt_all, report_unreadable
from adframe.data.load import read_images
from adframe.data.reading import ReadAs
from adframe.engine import model_file
from adframe.engine.build import Assembly, assemble
from adframe.engine.evaluate import fit, score
from adframe.engine.global_state import kept
from adframe.errors import UserError
from adframe.interfaces import Images
from adframe.io.paths import AnyPath, as_path, each
from adframe.registry.loading import installed

BLOCK = 256  # files that are decoded and then scored together


class Detector:
    """A trained method with its fitted scorers; ``adframe.load`` reads it from a run folder.

    Scores are those of the first scorer. A detector can be pickled and copied, so that other
    processes can use it; the files of its plugins are loaded there again.

    Example::

        detector = adframe.load("runs/quickstart-1")
        detector.score("photo.jpg")                 # array([0.31], dtype=float32)
        detector.score(adframe.find_images("new"))  # one score for each file
    """

    def __init__(self, config: RunConfig, assembly: Assembly, facts: Mapping[str, Any]) -> None:
        self.config = config
        self._facts = facts
        self.method = assembly.method
        self.shifts = assembly.shifts
        self.scorers = assembly.scorers
        #: channels, height, width of the training images
        self.size: tuple[int, ...] = tuple(facts["image_size"])
        self._dataset = assembly.dataset

    @property
    def reading(self) -> ReadAs:
        """How files are read: as in training."""
        return ReadAs(self.size[1:], self._dataset.depth, self._dataset.fit)

    def __repr__(self) -> str:
        names = ", ".join(spec.entry.name for spec in self.config.scorer)
        pixels = "x".join(map(str, self.size[1:]))
        return f"Detector({self.config.backbone.entry.name}, {names}, {pixels} pixels)"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the config, the paths of plugin files, and what was learned."""
        loaded = {plugin.key for plugin in self.config.loaded.registry.plugins}
        without = [one.plugin.key for one in installed() if one.plugin.key not in loaded]
        model = model_file.packed(self.config, self.method, self.scorers, self._facts)
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
        return self._score(self._pixels(images)).numpy()

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
        rest = each(paths)
        while block := list(islice(rest, BLOCK)):
            images = list(attempt_all(block, self.reading))
            readable = [image for image in images if isinstance(image, Tensor)]
            scores = iter(self._score(torch.stack(readable)).tolist() if readable else [])
            for path, image in zip(block, images, strict=True):
                yield path, next(scores) if isinstance(image, Tensor) else image

    def fit(self, images: ImagesLike, exposed: ImagesLike | None = None) -> Detector:
        """Fit the scorers again, on other inliers; the network stays as it is.

        Args:
            images: the inliers, as for ``score``.
            exposed: known outliers; needed if a scorer of the run compares with them.

        Raises:
            UserError: as for ``score``; or a scorer needs known outliers, or labels.
        """
        for spec, scorer in zip(self.config.scorer, self.scorers, strict=True):
            name = spec.entry.name
            if scorer.needs_exposed and exposed is None:
                raise UserError(f"{name} needs known outliers; pass them as exposed=")
            if scorer.needs_classes:
                raise UserError(f"{name} needs labelled inliers; train a run on them")
        train = self._unlabelled(images)
        outliers = None if exposed is None else self._unlabelled(exposed)
        with kept():
            fit(self.scorers, self.method, self.shifts, train, self.config.seed, outliers)
        return self

    def _score(self, pixels: Tensor) -> Tensor:
        if not len(pixels):
            return torch.empty(0)
        (scores,) = score(self.scorers[:1], self.method, self.shifts, pixels, self.config.seed)
        return scores

    def _unlabelled(self, images: ImagesLike) -> Images:
        pixels = self._pixels(images)
        if not len(pixels):
            raise UserError("no images")
        nothing = torch.full((len(pixels),), -1)
        return Images(pixels, nothing, nothing > 0, [str(index) for index in range(len(pixels))])

    def _pixels(self, images: ImagesLike) -> Tensor:
        """Pixels of images, shape (N, 3, H, W), uint8."""
        images = listed(images)
        if isinstance(images, Tensor | np.ndarray):
            return self._of_arrays(images)
        if paths := paths_of(images):
            return read_images(paths, **vars(self.reading))
        try:
            found = [
                as_pixels(image, self.reading)[None]
                if isinstance(image, Image)
                else self._pixels(image)
                for image in images
            ]
        except RecursionError as error:
            raise UserError("the images are nested too deeply") from error
        return torch.cat([self._nothing(), *found])

    def _of_arrays(self, pixels: Tensor | np.ndarray) -> Tensor:
        batch = as_batch(pixels)
        if batch.dtype == np.uint8 and batch.shape[1:] == (*self.size[1:], 3):
            return torch.from_numpy(np.array(batch.transpose(0, 3, 1, 2), order="C"))
        found = [as_pixels(image, self.reading)[None] for image in as_images(batch)]
        return torch.cat([self._nothing(), *found])

    def _nothing(self) -> Tensor:
        return torch.empty(0, *self.size, dtype=torch.uint8)


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
        return _restored(config, model, folder / "model.safetensors")


def _restored(config: RunConfig, model: model_file.Model, path: Path) -> Detector:
    tensors, facts = model
    assembly = assemble(config, classes=len(facts["classes"]))
    model_file.restore_model(path, (tensors, facts), config, assembly)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assembly.method.to(torch.device(device)).to(memory_format=torch.channels_last)
    assembly.method.eval()
    return Detector(config, assembly, facts)


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
