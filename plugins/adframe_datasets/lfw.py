"""Photographs of faces and other patches from scikit-image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from adframe import UserError
from adframe.interfaces import Dataset, Images, Splits

from .classes import as_images, seeded_order

TRAIN = 70


class LFWFaces(Dataset):
    """100 faces (inliers) and 100 other patches, 25x25, from scikit-image; no download.

    From Labeled Faces in the Wild; grey, repeated to three channels. The run's seed draws 70 faces
    for training. The other 30 faces and the 100 patches are the test split. Needs scikit-image.
    """

    def load(self, seed: int) -> Splits:
        try:
            from skimage.data import lfw_subset
        except ImportError as error:
            raise UserError("lfw_faces needs scikit-image: pip install scikit-image") from error
        values = lfw_subset()  # type: ignore[no-untyped-call]  # (200, 25, 25) in 0..1, faces first
        pixels = torch.from_numpy(np.rint(values * 255).astype(np.uint8))
        faces, others = pixels[:100, None].expand(-1, 3, -1, -1), pixels[100:, None]
        order = seeded_order(len(faces), seed)
        train, held_out = order[:TRAIN], order[TRAIN:]
        test = torch.cat([faces[held_out], others.expand(-1, 3, -1, -1)])
        return Splits(
            train=self._images(faces[train], train),
            test=self._images(test, [*held_out, *range(100, len(pixels))]),
        )

    def _images(self, pixels: Tensor, rows: list[int]) -> Images:
        of = ["face" if row < 100 else "other" for row in rows]
        names = [f"lfw/{row:03d}" for row in rows]
        return as_images(pixels.contiguous(), of, names, ["face"], labelled=False)
