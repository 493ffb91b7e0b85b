"""A trained detector, for scoring images of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adframe.config.model import RunConfig, load_config
from adframe.data.load import read_images
from adframe.engine import checkpoint
from adframe.engine.build import Assembly, assemble
from adframe.engine.evaluate import fit, score
from adframe.errors import UserError
from adframe.interfaces import Images

ImagesLike = Tensor | np.ndarray | Sequence[str | Path]


class Detector:
    """A trained method with its first scorer. ``adframe.load`` makes it from a run folder."""

    def __init__(self, config: RunConfig, assembly: Assembly, size: Sequence[int]) -> None:
        self.config = config
        self.method = assembly.method
        self.shifts = assembly.shifts
        self.scorers = assembly.scorers
        self.size = tuple(size)  #: channels, height, width of the training images

    def __repr__(self) -> str:
        names = ", ".join(spec.entry.name for spec in self.config.scorer)
        pixels = "x".join(map(str, self.size[1:]))
        return f"Detector({self.config.backbone.entry.name}, {names}, {pixels} pixels)"

    def fit(self, images: ImagesLike) -> Detector:
        """Fit the scorers anew, on other images of what is normal; the network stays.

        Args:
            images: as for ``score``.
        """
        pixels = self._pixels(images)
        nothing = torch.full((len(pixels),), -1)
        names = [str(index) for index in range(len(pixels))]
        train = Images(pixels, nothing, nothing > 0, names)
        fit(self.scorers, self.method, self.shifts, train, self.config.seed)
        return self

    def score(self, images: ImagesLike) -> np.ndarray:
        """(N,) float32 anomaly scores; higher = more anomalous.

        Args:
            images: image files, resized and cropped as in training; or uint8 pixels of the
                training images' size, (N, H, W, 3) as an array or tensor.

        Raises:
            UserError: a file is unreadable, or pixels have another shape or type.
        """
        pixels = self._pixels(images)
        seed = self.config.seed
        (scores,) = score(self.scorers[:1], self.method, self.shifts, pixels, seed)
        return scores.numpy()

    def _pixels(self, images: ImagesLike) -> Tensor:
        if isinstance(images, Tensor | np.ndarray):
            pixels = torch.as_tensor(images)
            expected = (*self.size[1:], self.size[0])
            if pixels.dtype != torch.uint8 or tuple(pixels.shape[1:]) != expected:
                raise UserError(
                    f"expected uint8 pixels of shape (N, {', '.join(map(str, expected))}), "
                    f"not {pixels.dtype} of shape {tuple(pixels.shape)}"
                )
            return pixels.permute(0, 3, 1, 2).contiguous()
        if self.size[1] != self.size[2]:
            raise UserError("image files can be scored only by a detector of square images")
        return read_images(list(images), self.size[1])


def load(
    folder: str | Path,
    *,
    plugins: Sequence[str | Path] = (),
    without: Iterable[str] = (),
    allow_code: bool = False,
) -> Detector:
    """The detector of a finished run.

    Args:
        folder: a run folder.
        plugins, without, allow_code: as for ``load_config``.

    Raises:
        UserError: the folder holds no finished run, or a file of it is damaged.
    """
    folder = Path(folder)
    tensors, facts = checkpoint.model_facts(folder)
    config = load_config(
        folder / "config.yaml", plugins=plugins, without=without, allow_code=allow_code
    )
    assembly = assemble(config, classes=len(facts["classes"]))
    checkpoint.restore_model(folder, (tensors, facts), config, assembly)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assembly.method.to(torch.device(device)).to(memory_format=torch.channels_last)
    assembly.method.eval()
    return Detector(config, assembly, facts["image_size"])
