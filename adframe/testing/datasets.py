"""Checks of data sets; skipped if the images are not on this machine."""

from __future__ import annotations

from unittest import SkipTest

import torch

from adframe.errors import UserError
from adframe.interfaces import Images, Splits
from adframe.testing.subject import Subject


def _load(subject: Subject, generator: int = 0) -> Splits:
    dataset = subject.make()
    torch.manual_seed(generator)
    try:
        splits: Splits = dataset.load(0)
    except UserError as error:
        raise SkipTest(f"{subject}: {error}") from error
    return splits


def delivers_labelled_images(subject: Subject) -> None:
    """Pixels are uint8 of one size; labels and names match; training has no outliers."""
    splits = _load(subject)
    for what, images in {"train": splits.train, "test": splits.test}.items():
        _is_whole(images, what, len(splits.classes))
    assert len(splits.train) >= 2, f"train has {len(splits.train)} images; at least 2 needed"
    assert not splits.train.outlier.any(), "train contains outliers"
    here, there = splits.train.pixels.shape[1:], splits.test.pixels.shape[1:]
    assert here == there, f"image size differs: train {tuple(here)}, test {tuple(there)}"


def _is_whole(images: Images, what: str, classes: int) -> None:
    count, pixels = len(images), images.pixels
    assert pixels.dtype == torch.uint8, f"{what}: pixels are {pixels.dtype}, not uint8"
    assert pixels.ndim == 4, f"{what}: pixels have shape {tuple(pixels.shape)}"
    assert pixels.shape[1] == 3, f"{what}: pixels have shape {tuple(pixels.shape)}"
    for name, dtype in {"label": torch.int64, "outlier": torch.bool}.items():
        values = getattr(images, name)
        assert values.dtype == dtype, f"{what}: {name} is {values.dtype}"
        assert values.shape == (count,), f"{what}: {name} has shape {tuple(values.shape)}"
    assert len(images.names) == count, f"{what}: {len(images.names)} names for {count} images"
    inside = (images.label >= -1) & (images.label < classes)
    assert inside.all(), f"{what}: a label is not one of -1..{classes - 1}"


def seed_fixes_the_split(subject: Subject) -> None:
    """Equal seeds give equal splits; the global generator has no effect."""
    one, other = _load(subject), _load(subject, generator=1)
    for first, second in ((one.train, other.train), (one.test, other.test)):
        assert list(first.names) == list(second.names), "names differ for equal seeds"
        for name in ("pixels", "label", "outlier"):
            assert torch.equal(getattr(first, name)[:], getattr(second, name)[:]), (
                f"{name} differs between two calls with one seed"
            )
