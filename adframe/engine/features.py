"""Extracts features of images, under the views that scorers request."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

import torch
from torch import Tensor

from adframe.data.lazy import iter_batches, to_device
from adframe.engine import returned
from adframe.engine.returned import expect
from adframe.engine.rows import by_image, filled, joined
from adframe.engine.views import views_of
from adframe.errors import UserError
from adframe.interfaces import (
    Method,
    Pixels,
    Shift,
    ViewSpec,
    Windows,
    count_variants,
)
from adframe.random import RandomKeys, seed_of

MAX_ROWS_PER_PASS = 512  # rows in one forward pass at test time: images, views of a few images
MAX_PIXELS_PER_PASS = 1 << 21  # of these rows; feature maps of large images take much memory
MAX_PIXELS_ON_CPU = 1 << 16  # fastest while feature maps are cached: docs/performance/notes.md
MAX_WINDOWS = 1 << 14  # windows whose features are held at once, of one image at least
PIXELS = "pixels"  # output that is no output of the method: the view itself
MIN_BATCH = 4  # images; CPU libraries compute smaller batches in another way, with other rounding


@torch.no_grad()
def extract_features(
    method: Method,
    shifts: Sequence[Shift],
    pixels: Pixels,
    spec: ViewSpec,
    seed: int,
    least: int = MIN_BATCH,
    rows: Sequence[Tensor] | None = None,
) -> Iterator[dict[str, Tensor]]:
    """Features of the views that a scorer requests, a few images at a time.

    Args:
        method: the trained method.
        shifts: the shifting transformations of the run.
        pixels: (N, 3, H, W) uint8; memory does not grow with N.
        spec: the views and outputs that the scorer requests.
        seed: the seed of the run; random views depend on it and on the content of the image, or of
            the window.
        least: rows that a smaller forward pass is filled up to, with copies.
        rows: some of the ``passes``; by default all of them.

    Yields:
        Features of the next images in the order of ``pixels``, on the CPU; see ``Features``.

    Raises:
        UserError: the windows are larger than the images.
    """
    device, size = _device(method), pixels.shape[2:]
    rows = passes(method, shifts, pixels, spec) if rows is None else rows
    if spec.windows is None and not shares_batch(spec, size):
        least = 1
    training = [module for module in method.modules() if module.training]
    if training:
        method.eval()
    try:
        for part in iter_batches(pixels, rows):
            block = to_device(device, part)
            of_images = _in_windows if spec.windows is not None else _whole
            features = of_images(method, shifts, block, spec, seed, least)
            if spec.windows is not None or spec.stages:
                features["size"] = torch.tensor([size] * len(block))
            yield features
    finally:
        for module in training:
            module.training = True


def passes(
    method: Method, shifts: Sequence[Shift], pixels: Pixels, spec: ViewSpec
) -> Sequence[Tensor]:
    """Numbers of the images that ``extract_features`` takes at a time, in order.

    Raises:
        UserError: the windows are larger than the images.
    """
    size = pixels.shape[2:]
    variants = count_variants(shifts) if spec.apply_shifts else 1
    chunk = _rows_per_pass(_device(method), size)
    if spec.stages or PIXELS in spec.outputs:  # these are large
        chunk = max(2 * MIN_BATCH, min(chunk, MAX_ROWS_PER_PASS // (spec.views * variants)))
    if spec.windows is not None:
        chunk = max(1, MAX_WINDOWS // (_count_windows(spec.windows, size) * spec.views * variants))
    elif not shares_batch(spec, size):
        chunk = 1
    return torch.arange(len(pixels)).tensor_split(max(1, math.ceil(len(pixels) / chunk)))


def _device(method: Method) -> torch.device:
    tensor = next(chain(method.parameters(), method.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


def _rows_per_pass(device: torch.device, size: Sequence[int]) -> int:
    pixels = MAX_PIXELS_ON_CPU if device.type == "cpu" else MAX_PIXELS_PER_PASS
    return max(2 * MIN_BATCH, min(MAX_ROWS_PER_PASS, pixels // math.prod(size)))


def shares_batch(spec: ViewSpec, size: Sequence[int]) -> bool:
    """Whether images of this height and width share a forward pass: large ones come alone.

    An image of several windows is a batch itself.
    """
    if spec.windows is not None:
        return _count_windows(spec.windows, size) < MIN_BATCH
    return 2 * MIN_BATCH * math.prod(size) <= MAX_PIXELS_PER_PASS


def _count_windows(windows: Windows, size: Sequence[int]) -> int:
    if windows.size > min(size):
        side = windows.size
        raise UserError(
            f"windows of {side}x{side} pixels do not fit in images of {size[1]}x{size[0]}"
        )
    return math.prod(len(windows.starts(length)) for length in size)


def _in_windows(
    method: Method, shifts: Sequence[Shift], images: Tensor, spec: ViewSpec, seed: int, least: int
) -> dict[str, Tensor]:
    """Features of all windows of a few images; each window is seen as an image is."""
    assert spec.windows is not None
    side = spec.windows.size
    tops, lefts = (spec.windows.starts(length) for length in images.shape[2:])
    places = images.unfold(2, side, 1).unfold(3, side, 1)  # a view; only parts are copied
    grid = len(images), len(tops), len(lefts)
    order = torch.arange(math.prod(grid))
    rows = _rows_per_pass(images.device, (side, side))
    found: dict[str, Tensor] = {}
    done = 0
    for part in order.tensor_split(max(1, math.ceil(len(order) / rows))):
        which, row, column = torch.unravel_index(part, grid)
        windows = places[which, :, torch.tensor(tops)[row], torch.tensor(lefts)[column]]
        for name, values in _whole(method, shifts, windows, spec, seed, least).items():
            if name not in found:
                found[name] = values.new_empty(len(order), *values.shape[1:])
            found[name][done : done + len(part)] = values
        done += len(part)
    return {
        name: values.view(*grid, *values.shape[1:]).movedim((1, 2), (-2, -1))
        for name, values in found.items()
    }


def _whole(
    method: Method, shifts: Sequence[Shift], images: Tensor, spec: ViewSpec, seed: int, least: int
) -> dict[str, Tensor]:
    """Features of a few images, or of windows."""
    count = len(images)
    images = filled(images, least)  # views too are computed in another way for few images
    random = spec.transform is not None or spec.pre_shift is not None
    keys = RandomKeys.from_images(seed_of(seed, "views"), images) if random else None
    views = (
        view if spec.compute else view[:count]
        for number in range(spec.views)
        for view in views_of(images, spec, shifts, keys and keys.fold_in(number))
    )
    rows = 0 if spec.compute else _rows_per_pass(images.device, images.shape[2:])
    found = [
        {name: values[: len(batch)].float().cpu() for name, values in made.items()}
        for batch in joined(views, rows)
        for made in [_outputs(method, filled(batch, least), spec)]
    ]
    each = len(images) if spec.compute else count
    return {
        name: by_image(torch.cat([part[name] for part in found]), each, spec.views)[:count]
        for name in found[0]
    }


def _outputs(method: Method, images: Tensor, spec: ViewSpec) -> dict[str, Tensor]:
    """The outputs and the feature maps of the stages that a scorer requests."""
    found = dict[str, Tensor]()
    names = [name for name in spec.outputs if name != PIXELS]
    if len(names) < len(spec.outputs):
        found[PIXELS] = images.flatten(1)
    if names:
        made: Mapping[str, Tensor]
        by: object
        if spec.compute is None:
            made, by = method.embed_only(images, names), method
        else:
            made, by = _computed(method, spec.compute, images), spec.compute
        what = "embed" if spec.compute is None else "compute"
        expect(getattr(by, "__self__", by), returned.embedding(made, names, len(images), what))
        found |= {name: made[name].detach() for name in names}
    if spec.stages:
        maps = method.feature_maps(images, max(spec.stages))
        expect(method, returned.feature_maps(maps, spec.stages, len(images)))
        found |= {f"stage_{stage}": maps[stage - 1] for stage in spec.stages}
    return found


def _computed(
    method: Method,
    compute: Callable[[Method, Tensor], Mapping[str, Tensor]],
    images: Tensor,
) -> Mapping[str, Tensor]:
    """What a scorer computes with the network: with gradients, but none of the weights."""
    weights = [weight for weight in method.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        with torch.enable_grad():
            return compute(method, images)
    finally:
        for weight in weights:
            weight.requires_grad_(True)
