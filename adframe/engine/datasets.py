"""The data sets of a run: its own, the outliers to test on, the outliers to train beside."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from adframe.config.model import RunConfig
from adframe.data.lazy import subset
from adframe.engine.build import Assembly
from adframe.errors import ConfigError, Problem, UserError
from adframe.interfaces import Images, Splits

Data = TypeVar("Data", Splits, Images)


def load(config: RunConfig, read: Callable[[int], Data], *path: str | int) -> Data:
    """What a data set delivers; its refusal becomes a located problem at ``path``."""
    try:
        return read(config.seed)
    except (UserError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise config.located(ConfigError([Problem(path, str(error))])) from error


def outlier_sets(config: RunConfig, assembly: Assembly, data: Splits) -> dict[str, Images]:
    """The test images of each data set under ``outliers``, by name."""
    sets: dict[str, Images] = {}
    for index, dataset in enumerate(assembly.outliers):
        images = load(config, dataset.outliers, "outliers", index)
        name = config.outliers[index].entry.name
        name = name if name not in (*sets, config.dataset.entry.name) else f"{name}_{index}"
        _same_size(config, images, data.test, "outliers", index)
        sets[name] = images
    return sets


def exposed(config: RunConfig, assembly: Assembly, data: Splits) -> Images | None:
    """The images of the data set under ``exposure``, if there is one."""
    if assembly.exposure is None:
        return None
    images = load(config, assembly.exposure.exposed, "exposure", "dataset")
    _same_size(config, images, data.train, "exposure", "dataset")
    return images


def _same_size(config: RunConfig, images: Images, as_in: Images, *path: str | int) -> None:
    here, there = tuple(images.pixels.shape[2:]), tuple(as_in.pixels.shape[2:])
    if here != there:
        raise config.located(ConfigError([Problem(path, f"images of {here} pixels, not {there}")]))


def make_test_sets(title: str, test: Images, outliers: dict[str, Images]) -> dict[str, Images]:
    """The test images as named parts: ``inliers`` and one part for each outlier set.

    Raises:
        UserError: there is nothing to tell apart.
    """
    parts = {"inliers": _where(test, ~test.outlier)}
    if bool(test.outlier.any()):
        parts[title] = _where(test, test.outlier)
    for name, images in outliers.items():
        parts[name] = images
    for name, images in parts.items():
        if not len(images):
            raise UserError(f"the test split holds no {name}; AUROC needs inliers and outliers")
    if len(parts) == 1:
        raise UserError(
            "the test split holds no outliers and 'outliers' names no other data set; "
            "AUROC needs both"
        )
    return parts


def _where(images: Images, chosen: Tensor) -> Images:
    rows = torch.nonzero(chosen).flatten()
    names = [images.names[row] for row in rows.tolist()]
    pixels = subset(images.pixels, rows)
    return Images(pixels, images.label[rows], images.outlier[rows], names)
