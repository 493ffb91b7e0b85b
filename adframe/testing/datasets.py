"""Checks of data sets; skipped if the images are not on this machine."""

from __future__ import annotations

from unittest import SkipTest

import torch

from adframe.engine import returned_images
from adframe.errors import UserError
from adframe.interfaces import Splits
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
    problem = returned_images.splits(splits)
    assert not problem, problem
    assert len(splits.train) >= 2, f"train has {len(splits.train)} images; at least 2 needed"


def seed_fixes_the_split(subject: Subject) -> None:
    """Equal seeds give equal splits; the global generator has no effect."""
    one, other = _load(subject), _load(subject, generator=1)
    for first, second in ((one.train, other.train), (one.test, other.test)):
        assert list(first.names) == list(second.names), "names differ for equal seeds"
        for name in ("pixels", "label", "outlier"):
            assert torch.equal(getattr(first, name)[:], getattr(second, name)[:]), (
                f"{name} differs between two calls with one seed"
            )
