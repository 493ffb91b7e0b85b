"""Scores images with a finished run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from adframe.config.model import RunConfig, load_config
from adframe.data.decode import ImageError, as_pixels, attempt_all, report_unreadable
from adframe.data.load import read_images
from adframe.engine import model_file
from adframe.engine.build import Assembly, assemble
from adframe.engine.evaluate import fit, score
from adframe.errors import UserError
from adframe.interfaces import Images
from adframe.io.paths import AnyPath

BLOCK = 256  # files that are decoded and then scored together

OneImage = AnyPath | Image | np.ndarray | Tensor
ImagesLike = OneImage | Iterable[OneImage]


class Detector:
    """A trained method with its fitted scorers; ``adframe.load`` reads it from a run folder.

    Scores are those of the first scorer.

    Example::

        detector = adframe.load("runs/quickstart-1")
        detector.score("photo.jpg")                 # array([0.31], dtype=float32)
        detector.score(adframe.find_images("new"))  # one score for each file
    """

    def __init__(self, config: RunConfig, assembly: Assembly, size: Sequence[int]) -> None:
        self.config = config
        self.method = assembly.method
        self.shifts = assembly.shifts
        self.scorers = assembly.scorers
        self.depth = assembly.dataset.depth  #: bits of deep grey in files, as in training
        self.size = tuple(size)  #: channels, height, width of the training images

    def __repr__(self) -> str:
        names = ", ".join(spec.entry.name for spec in self.config.scorer)
        pixels = "x".join(map(str, self.size[1:]))
        return f"Detector({self.config.backbone.entry.name}, {names}, {pixels} pixels)"

    def score(self, images: ImagesLike) -> np.ndarray:
        """Anomaly scores, shape (N,), float32; higher is more anomalous.

        Args:
            images: one image or several: paths or PIL images, which are resized and cropped as in
                training; or uint8 arrays or tensors of the training images' size, (H, W, 3) or
                (N, H, W, 3).

        Raises:
            UserError: a file is unreadable, or pixels have another shape or type.
        """
        images = _listed(images)
        if paths := _paths(images):
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
        """
        size = self._side()
        rest = iter([paths] if isinstance(paths, str | os.PathLike) else paths)
        while block := list(islice(rest, BLOCK)):
            images = list(attempt_all(block, size, self.depth))
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
        images = _listed(images)
        if isinstance(images, Tensor | np.ndarray):
            return self._checked(images)
        if paths := _paths(images):
            return read_images(paths, self._side(), self.depth)
        found = [
            as_pixels(image, self._side(), self.depth)[None]
            if isinstance(image, Image)
            else self._pixels(image)
            for image in images
        ]
        return torch.cat([self._nothing(), *found])

    def _checked(self, pixels: Tensor | np.ndarray) -> Tensor:
        shape = list(pixels.shape)
        if shape[:1] == [0]:
            return self._nothing()
        channels, *sides = self.size
        expected = [*sides, channels]
        sizes = shape[1:] if len(shape) == 4 else shape
        if str(pixels.dtype).removeprefix("torch.") != "uint8" or sizes != expected:
            raise UserError(
                f"expected uint8 pixels of shape (N, {', '.join(map(str, expected))}), "
                f"not {pixels.dtype} of shape {tuple(pixels.shape)}"
            )
        if isinstance(pixels, np.ndarray):
            pixels = torch.from_numpy(np.array(pixels))  # torch wants it writable
        return pixels.view(-1, *expected).permute(0, 3, 1, 2).contiguous()

    def _nothing(self) -> Tensor:
        return torch.empty(0, *self.size, dtype=torch.uint8)

    def _side(self) -> tuple[int, ...]:
        return self.size[1:]  # height, width


def _listed(images: ImagesLike) -> Tensor | np.ndarray | list[OneImage]:
    """Converts a single path or PIL image to a list of one; keeps arrays and lists."""
    if isinstance(images, Tensor | np.ndarray):
        of_paths = isinstance(images, np.ndarray) and images.dtype.kind in "OU"
        return images.tolist() if of_paths else images
    if isinstance(images, str | os.PathLike | Image):
        return [images]
    if isinstance(images, bytes) or not isinstance(images, Iterable):
        raise UserError(f"expected an image or several, not {type(images).__name__}")
    return list(images)


def _paths(images: Tensor | np.ndarray | list[OneImage]) -> list[AnyPath]:
    """Returns the images if all of them are paths, else an empty list."""
    if not isinstance(images, list):
        return []
    paths = [path for path in images if isinstance(path, str | os.PathLike)]
    return paths if len(paths) == len(images) else []


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
    folder = Path(folder)
    tensors, facts = model_file.model_facts(folder)
    config = load_config(
        folder / "config.yaml", plugins=plugins, without=without, allow_code=allow_code
    )
    model_file.check_model(folder, config, facts)
    assembly = assemble(config, classes=len(facts["classes"]))
    model_file.restore_model(folder, (tensors, facts), config, assembly)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assembly.method.to(torch.device(device)).to(memory_format=torch.channels_last)
    assembly.method.eval()
    return Detector(config, assembly, facts["image_size"])
