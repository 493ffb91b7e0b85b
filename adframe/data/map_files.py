"""Maps of anomaly scores as image files, and as an overlay for people."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from adframe.errors import UserError
from adframe.io import atomic
from adframe.io.atomic import read_json

DEEPEST = 65535  # of a 16-bit image
HEAT = np.array([[255, 220, 0], [255, 120, 0], [200, 0, 0]], dtype=np.float32)  # yellow to red


class Neighbour(NamedTuple):
    """A training image, and its distance to an image that is scored."""

    path: str
    distance: float


class Explanation(NamedTuple):
    """Why an image has its anomaly score.

    Attributes:
        score: higher is more anomalous.
        map: (H, W) float32, of the image's own size; None if the scorer gives no maps.
        p_value: conformal, in (0, 1], small for anomalous images; None without a calibration.
        nearest: the nearest training images; empty if the scorer compares with none.
        pixels: (H, W, 3) uint8, the image file in its own size; None without map or file.
    """

    score: float
    map: np.ndarray | None
    p_value: float | None = None
    nearest: tuple[Neighbour, ...] = ()
    pixels: np.ndarray | None = None


@dataclass(frozen=True)
class MapRange:
    """Values of the maps of a run's test images, which fix the scale of the files.

    Attributes:
        low: the lowest value of a pixel.
        normal: half of the inliers have no pixel above this value.
        high: the highest value of a pixel.
    """

    low: float
    normal: float
    high: float


def scale_of(result: Path) -> MapRange:
    """The scale of a run's maps, from its ``result.json``.

    Raises:
        UserError: the file is damaged, or of a run without maps.
    """
    known = read_json(result)
    values = known.get("map_range") if isinstance(known, dict) else None
    names = ("low", "normal", "high")
    if not isinstance(values, dict) or not all(isinstance(values.get(n), float) for n in names):
        raise UserError(f"{result}: has no range of maps; evaluate the run again")
    return MapRange(*(values[name] for name in names))


def map_png(values: np.ndarray, scale: MapRange) -> bytes:
    """A map as a 16-bit grey PNG: 0 for ``low``, 65535 for ``high``; other values are clipped.

    Args:
        values: (H, W) floating point.
        scale: the values at both ends.
    """
    width = max(scale.high - scale.low, 1e-12)
    share = np.clip((values.astype(np.float64) - scale.low) / width, 0, 1)
    return _png(Image.fromarray((share * DEEPEST).round().astype(np.uint16)))


def overlay(pixels: np.ndarray, values: np.ndarray, scale: MapRange) -> Image.Image:
    """An image with its map on it: yellow to red above ``normal``, grey below.

    Args:
        pixels: (H, W, 3) uint8.
        values: (H, W) floating point.
        scale: colours start at ``normal`` and are full at ``high``.
    """
    width = max(scale.high - scale.normal, 1e-12)
    share = np.clip((values.astype(np.float32) - scale.normal) / width, 0, 1)
    place = share * (len(HEAT) - 1)
    lower = np.minimum(place.astype(int), len(HEAT) - 2)
    part = (place - lower)[..., None]
    colour = HEAT[lower] * (1 - part) + HEAT[lower + 1] * part
    grey = np.repeat(pixels.mean(2, keepdims=True), 3, axis=2)
    alpha = np.where(share > 0, 0.35 + 0.45 * share, 0.0)[..., None]
    return Image.fromarray((grey * (1 - alpha) + colour * alpha).round().astype(np.uint8))


def map_paths(files: list[Path], folder: Path) -> list[Path]:
    """A different name below ``folder`` for the map of each image, without a suffix.

    It is the name of the image. Where several have one name, the names of folders are added.
    """
    taken: set[Path] = set()
    found = []
    for file in files:
        parts = [part for part in file.resolve().with_suffix("").parts if part not in ("/", "..")]
        count = 1
        while (name := folder / "_".join(parts[-count:])) in taken and count < len(parts):
            count += 1
        while name in taken:  # two suffixes of one name
            name = name.with_name(f"{name.name}_")
        taken.add(name)
        found.append(name)
    return found


def write_map(path: Path, values: np.ndarray, pixels: np.ndarray, scale: MapRange) -> None:
    """Write ``NAME_map.png``, 16-bit, and ``NAME_overlay.png``.

    Args:
        path: the folder and NAME.
        values: (H, W) floating point.
        pixels: the image, (H, W, 3) uint8.
        scale: of the run.

    Raises:
        UserError: a file cannot be written.
    """
    atomic.write(path.with_name(f"{path.name}_map.png"), map_png(values, scale))
    atomic.write(path.with_name(f"{path.name}_overlay.png"), _png(overlay(pixels, values, scale)))


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
