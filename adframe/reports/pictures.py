"""Thumbnails of the images that a report shows, each with what its score comes from."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from adframe.data.ahead import attempt
from adframe.data.decode import ImageError
from adframe.data.map_files import Explanation, MapRange, overlay
from adframe.data.reading import ReadAs
from adframe.detector import Detector
from adframe.engine import datasets
from adframe.engine.build import construct
from adframe.errors import UserError, one_line
from adframe.reports.gather import RunView, TestImage

SIDE = 112  # pixels of the longer side of a thumbnail
GROUP = 8  # images in a group
NEIGHBOURS = 3
MIME = "data:image/jpeg;base64,"


@dataclass(frozen=True)
class Picture:
    """An image of the report.

    Attributes:
        picture: a data URL, empty if the image is not here; ``overlay`` shows its map.
        nearest: its nearest training images: name, distance and data URL.
    """

    image: TestImage
    picture: str
    overlay: str = ""
    nearest: tuple[tuple[str, float, str], ...] = ()


def groups(view: RunView) -> dict[str, list[TestImage]]:
    """The images that are shown, by what they show."""
    by_score = sorted(view.images, key=lambda image: -image.score)
    good = [image for image in by_score if image.good]
    bad = [image for image in by_score if not image.good][::-1]
    found = {"The most anomalous": by_score[:GROUP]}
    bound = view.threshold
    if bound is not None:
        near = sorted(by_score, key=lambda image: abs(image.score - bound))[:GROUP]
        found["Nearest to the threshold"] = sorted(near, key=lambda image: -image.score)
        good = [image for image in good if image.anomalous]
        bad = [image for image in bad if image.anomalous is False]
        found["False alarms: normal, and called anomalous"] = good[:GROUP]
        found["Missed: anomalous, and not called so"] = bad[:GROUP]
    else:
        found["Normal images of the highest score"] = good[:GROUP]
        found["Anomalies of the lowest score"] = bad[:GROUP]
    return {title: images for title, images in found.items() if images}


class Album:
    """Makes the pictures of a run. Images that are not files are read with its data set.

    Args:
        view: the run.
        detector: its detector; None if it cannot be loaded.
    """

    def __init__(self, view: RunView, detector: Detector | None) -> None:
        self.view, self.detector = view, detector
        self._thumbnails: dict[str, str] = {}
        self._pixels: Mapping[str, torch.Tensor] = {}
        self.note = ""
        known = [*view.training[:1], *(image.path for image in view.images[:1])]
        if detector is not None and not all(os.path.isfile(path) for path in known):
            try:
                self._pixels = _of_data_set(detector)
            except (UserError, ValueError, OSError) as error:
                self.note = f"The images cannot be read: {one_line(str(error))}"

    def pictures(self, chosen: Mapping[str, Sequence[TestImage]]) -> dict[str, list[Picture]]:
        """The pictures of each group."""
        paths = list(dict.fromkeys(image.path for of in chosen.values() for image in of))
        explained = dict(self._explained(paths))
        scale = self._scale()
        return {
            title: [self._picture(image, explained.get(image.path), scale) for image in of]
            for title, of in chosen.items()
        }

    def _explained(self, paths: Sequence[str]) -> Iterator[tuple[str, Explanation]]:
        if self.detector is None:
            return
        if self._pixels:
            known = [path for path in paths if path in self._pixels]
            pixels = torch.stack([self._pixels[path] for path in known])
            yield from zip(known, self.detector.explain(pixels, NEIGHBOURS), strict=True)
            return
        here = [path for path in paths if os.path.isfile(path)]
        for path, found in self.detector.explain_files(here, NEIGHBOURS):
            if isinstance(found, Explanation):
                yield str(path), found

    def _picture(
        self, image: TestImage, why: Explanation | None, scale: MapRange | None
    ) -> Picture:
        shown = self.thumbnail(image.path)
        if why is None or not shown:
            return Picture(image, shown)
        over = ""
        if why.map is not None and scale is not None:
            pixels = self._read(image.path)
            assert pixels is not None
            over = _url(overlay(pixels, why.map, scale))
        near = [(name, far, self.thumbnail(name)) for name, far in why.nearest]
        return Picture(image, shown, over, tuple(near))

    def thumbnail(self, path: str) -> str:
        """Data URL of a small image; empty if it is not here. Each is made once."""
        if path not in self._thumbnails:
            pixels = self._read(path)
            self._thumbnails[path] = "" if pixels is None else _url(Image.fromarray(pixels))
        return self._thumbnails[path]

    def _read(self, path: str) -> np.ndarray | None:
        """(H, W, 3) uint8."""
        if path in self._pixels:
            found: Any = self._pixels[path]
        else:
            depth = None if self.detector is None else self.detector.reading.depth
            found = attempt(Path(path), ReadAs(depth=depth))
        return None if isinstance(found, ImageError) else found.permute(1, 2, 0).numpy()

    def _scale(self) -> MapRange | None:
        values: Any = self.view.result.get("map_range")
        try:
            return MapRange(**{name: float(value) for name, value in values.items()})
        except (AttributeError, TypeError, ValueError):
            return None


def _of_data_set(detector: Detector) -> dict[str, torch.Tensor]:
    """Pixels of all images of a run by name."""
    with torch.random.fork_rng(devices=[]):
        data = datasets.load(detector.config, construct(detector.config))
    sets: Iterable[Any] = [data.splits.train, *data.test_sets.values()]
    return {
        name: pixels
        for images in sets
        for name, pixels in zip(images.names, images.pixels[:], strict=True)
    }


def _url(image: Image.Image) -> str:
    image.thumbnail((SIDE, SIDE))
    if max(image.size) < SIDE // 2:  # small images are shown larger, pixel by pixel
        factor = SIDE // max(image.size)
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.BOX)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=82)
    return MIME + base64.b64encode(stream.getvalue()).decode()
