"""Images of any kind as the pixels that a network gets."""

from __future__ import annotations

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from adframe.data.arrays import ImagesLike, as_batch, as_images, listed, paths_of
from adframe.data.decode import as_pixels, read_image
from adframe.data.load import read_images
from adframe.data.reading import ReadAs
from adframe.errors import UserError


def prepared(images: ImagesLike, reading: ReadAs) -> Tensor:
    """Pixels of images, shape (N, 3, H, W), uint8.

    Args:
        images: one image or several: paths, bytes, PIL images, arrays or tensors.
        reading: how they are brought to one size, which it must state.

    Raises:
        UserError: a file is unreadable, or pixels have another shape or type, or can be read in two
            ways.
    """
    images = listed(images)
    size = reading.result(-1, -1)
    found = [torch.empty(0, 3, *size, dtype=torch.uint8)]
    if isinstance(images, Tensor | np.ndarray):
        batch = as_batch(images)
        if batch.dtype == np.uint8 and batch.shape[3] == 3 and reading.keeps(*batch.shape[1:3]):
            return torch.from_numpy(np.array(batch.transpose(0, 3, 1, 2), order="C"))
        found += [as_pixels(image, reading)[None] for image in as_images(batch)]
    elif paths := paths_of(images):
        found.append(read_images(paths, **vars(reading)))
    else:
        try:
            for image in images:
                if isinstance(image, Image):
                    found.append(as_pixels(image, reading)[None])
                elif isinstance(image, bytes):
                    found.append(read_image(image, reading)[None])
                else:
                    found.append(prepared(image, reading))
        except RecursionError as error:
            raise UserError("the images are nested too deeply") from error
    return torch.cat(found)
