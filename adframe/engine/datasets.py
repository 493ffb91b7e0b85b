"""Reads the data sets of a run: inliers, test outliers and known outliers."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import NamedTuple

import torch

from adframe.config.model import RunConfig
from adframe.data.lazy import image_digests, sha256
from adframe.data.masks import as_region
from adframe.data.region import Region
from adframe.engine import returned_images
from adframe.engine.build import Assembly
from adframe.engine.crop import warn_of_crop
from adframe.engine.decision import held_out, warn_of_few
from adframe.engine.labelled import with_labelled
from adframe.engine.leaks import refuse_test_images, warn_of_leaks
from adframe.engine.returned import expect
from adframe.engine.set_names import own_title, set_names
from adframe.engine.validation_split import validation_sets, with_validation
from adframe.errors import ConfigError, Problem, UserError, problem_at
from adframe.interfaces import Images, Splits

SAMPLE = 32  # training images whose range of levels is looked at
FEW_LEVELS = 17  # 12-bit grey read as 16-bit uses levels 0 to 16

logger = logging.getLogger("adframe")


class Loaded(NamedTuple):
    """The images of a run.

    Attributes:
        splits: training and test images of the data set.
        test_sets: the test images by name, ``inliers`` first, then each set of outliers.
        exposed: the known outliers that the config names under ``exposure``.
        calibration: inliers that are held out of training, if the config has a ``decision``.
        validation: the validation images by name, if the config has a ``validation``.
        labelled: labelled images to choose a threshold on, if the decision needs them.
        region: the part of each image of the data set that is seen; None for all.
        sha256: SHA-256 of each set of images that is trained on, calibration images included.
    """

    splits: Splits
    test_sets: dict[str, Images]
    exposed: Images | None
    calibration: Images | None
    validation: dict[str, Images]
    labelled: Images | None
    region: Region | None
    sha256: list[str]


def load(config: RunConfig, assembly: Assembly) -> Loaded:
    """Read every data set that a config names; all images have one size.

    Raises:
        ConfigError: a data set refuses, or its images have another size; not yet located.
        UserError: there is too little to train on, or a test set is empty.
    """
    with problem_at(("dataset", "region"), UserError):
        region = as_region(assembly.dataset.region)
    with problem_at(("dataset",), UserError, ValueError):
        splits = assembly.dataset.load(config.seed)
        expect(assembly.dataset, returned_images.splits(splits))
    if len(splits.train) < 2:
        raise UserError(f"{len(splits.train)} training image(s); at least 2 are needed")
    _check_range(splits.train)
    warn_of_crop(splits, assembly.dataset.fit, region)
    outliers = dict[str, Images]()
    names = set_names(config, assembly.outliers)
    for index, (name, dataset) in enumerate(zip(names, assembly.outliers, strict=True)):
        with problem_at(("outliers", index), UserError, ValueError):
            images = dataset.outliers(config.seed)
            expect(dataset, returned_images.images(images, "outliers"))
        outliers[name] = _same_size(images, splits.test, "outliers", index)
    exposed = None
    if assembly.exposure is not None:
        with problem_at(("exposure", "dataset"), UserError, ValueError):
            exposed = assembly.exposure.exposed(config.seed)
            expect(assembly.exposure, returned_images.images(exposed, "exposed"))
        exposed = _same_size(exposed, splits.train, "exposure", "dataset")
    labelled = None
    if config.decision is not None and config.decision.rule != "false_alarms":
        with problem_at(("decision", config.decision.rule), UserError):
            splits, labelled = with_labelled(splits, config.decision.validation, config.seed)
    per_class = assembly.dataset.set_per_class
    test_sets = make_test_sets(own_title(config), splits.test, outliers, per_class)
    trained = {"training images": image_digests(splits.train.pixels)}
    if exposed is not None:
        trained["known outliers of exposure"] = image_digests(exposed.pixels)
    warn_of_leaks(trained, test_sets)
    digests = [sha256(each) for each in trained.values()]
    calibration, validation = None, dict[str, Images]()
    if config.decision is not None:
        share = config.decision.calibration
        kept, held = held_out(len(splits.train), share, config.seed)
        if config.decision.rule == "false_alarms":
            warn_of_few(len(held), config.decision.false_alarms)
        calibration = splits.train.subset(held)
        splits = replace(splits, train=splits.train.subset(kept))
    if config.validation is not None:
        named = _named(config, assembly, splits, test_sets)
        with problem_at(("validation",), UserError):
            splits, known = with_validation(splits, config.validation.share, config.seed)
            validation = validation_sets(known, assembly.anomalies, named)
    return Loaded(splits, test_sets, exposed, calibration, validation, labelled, region, digests)


def _named(
    config: RunConfig, assembly: Assembly, splits: Splits, test_sets: dict[str, Images]
) -> dict[str, Images]:
    """The data sets of anomalies that ``validation`` names; none of their images is tested."""
    named = dict[str, Images]()
    for index, dataset in enumerate(assembly.judged_by):
        path = ("validation", "outliers", index)
        with problem_at(path, UserError, ValueError):
            images = dataset.outliers(config.seed)
            expect(dataset, returned_images.images(images, "outliers"))
            if not len(images):
                raise UserError("has no images")
            refuse_test_images(images, test_sets)
        named[f"named_{index}"] = _same_size(images, splits.test, *path)
    return named


def _check_range(train: Images) -> None:
    """Warn if the first training images use few of the 256 levels, as if read too dark."""
    pixels = train.pixels[:SAMPLE]
    low, high = int(pixels.min()), int(pixels.max())
    if high - low < FEW_LEVELS:
        logger.warning(
            "the training images use levels %d to %d of 0 to 255; is their bit depth right?",
            low,
            high,
        )


def _same_size(images: Images, as_in: Images, *path: str | int) -> Images:
    here, there = tuple(images.pixels.shape[2:]), tuple(as_in.pixels.shape[2:])
    if here != there:
        raise ConfigError([Problem(path, f"images of {here} pixels, not {there}")])
    return images


def make_test_sets(
    title: str, test: Images, outliers: dict[str, Images], per_class: bool = False
) -> dict[str, Images]:
    """The test images by name: ``inliers``, then one entry for each set of outliers.

    Args:
        title: name of the set of all outliers of ``test``.
        test: the test split of the run's data set.
        outliers: the sets of outliers of other data sets.
        per_class: whether each class of outliers of ``test`` is a separate set.

    Raises:
        UserError: there are no inliers, or a set of outliers is empty.
    """
    test_sets = {"inliers": test.subset((~test.outlier).nonzero().flatten())}
    odd = test.subset(test.outlier.nonzero().flatten())
    if len(odd) and per_class and odd.of:
        for name in sorted(set(odd.of)):
            rows = torch.tensor([row for row, of in enumerate(odd.of) if of == name])
            taken = name in ("inliers", *outliers)
            test_sets[f"{title}_{name}" if taken else name] = odd.subset(rows)
    elif len(odd):
        test_sets[title] = odd
    test_sets.update(outliers)
    for name, images in test_sets.items():
        if not len(images):
            raise UserError(f"the test split has no {name}; AUROC needs inliers and outliers")
    if len(test_sets) == 1:
        logger.warning("no outliers to test with, so there is no AUROC; name some under 'outliers'")
    return test_sets
