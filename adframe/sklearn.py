"""A detector of anomalous images as an estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from PIL.Image import Image
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from adframe.config.model import RunConfig, load_config
from adframe.data.arrays import ImagesLike, OneImage, as_batch, listed
from adframe.data.decode import as_pixels, read_image
from adframe.data.masks import as_region
from adframe.data.reading import ReadAs
from adframe.detector.detector import Detector
from adframe.engine.adapt import unlabelled
from adframe.engine.build import construct, locating, set_up
from adframe.engine.checkpoint import FORMAT
from adframe.engine.decision import held_out
from adframe.engine.first_use import SAMPLE, check_first_use
from adframe.engine.fold import folded
from adframe.engine.global_state import kept
from adframe.engine.scoring import fit
from adframe.engine.start import freeze, start
from adframe.engine.state import Run
from adframe.engine.train import train
from adframe.errors import UserError
from adframe.interfaces import Splits


class AnomalyDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]  # untyped
    """Trains a config on images without labels and finds those unlike them.

    The conventions are those of scikit-learn's outlier detectors: a *lower* score is more
    anomalous, ``predict`` gives -1 for anomalies and 1 for inliers.

    Args:
        config: a YAML file or the name of a bundled config. Its data set is not read, but files are
            brought to size as by it.
        settings: changes of the config, such as ``{"train.epochs": 3}``, or ``["train.epochs=3"]``.
        contamination: share of the inliers held out of training that may be called anomalous.
            ``auto`` calls anomalous what is less normal than each of them.
        calibration: share of the images that is held out of training to find the threshold.
        size: pixels per side, or height and width, that images are brought to; by default those of
            the first image.
        verbose: whether plugins show progress.

    Attributes:
        detector_: the ``adframe.Detector``, which can be saved and exported.
        offset_: images with a lower score are anomalies.
    """

    def __init__(
        self,
        config: str | Path = "quickstart",
        *,
        settings: Mapping[str, Any] | Iterable[str] | None = None,
        contamination: float | Literal["auto"] = "auto",
        calibration: float = 0.2,
        size: int | tuple[int, int] | None = None,
        verbose: bool = False,
    ) -> None:
        self.config = config
        self.settings = settings
        self.contamination = contamination
        self.calibration = calibration
        self.size = size
        self.verbose = verbose

    def fit(self, X: ImagesLike, y: None = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Trains on images, of which most are inliers.

        Args:
            X: images as for ``Detector.score``: paths, PIL images, bytes, arrays or tensors.
            y: not used.

        Raises:
            ValueError: a parameter is out of range.
            UserError: the config is wrong, an image is unreadable, or there are fewer than 4.
        """
        if self.contamination != "auto" and not 0 < self.contamination <= 0.5:
            raise ValueError(
                f"contamination must be 'auto' or in (0, 0.5], not {self.contamination}"
            )
        if not 0 < self.calibration < 1:
            raise ValueError(f"calibration must be in (0, 1), not {self.calibration}")
        with kept():
            config = load_config(self.config, [*_settings(self.settings), "decision=null"])
            if config.exposure is not None:
                raise UserError(f"{config.source}: trains with known outliers, which X has none of")
            self.detector_, scores = self._trained(config, X)
        low = 0.0 if self.contamination == "auto" else 100 * self.contamination
        self.offset_ = float(np.percentile(scores, low))
        return self

    def _trained(self, config: RunConfig, given: ImagesLike) -> tuple[Detector, np.ndarray]:
        """The detector, and the scores of the images that were held out, higher is normal."""
        with locating(config):
            assembly = construct(config)
            source = assembly.dataset
            items = listed(given)
            part, draft = as_region(source.region), source.draft
            whole = ReadAs(None, source.depth, source.fit, part, draft)
            reading = replace(whole, size=self.size or whole.result(*_size_of(items)))
            images = unlabelled(items, reading)
            pixels = images.pixels
            if len(pixels) < 4:
                raise UserError(f"{len(pixels)} images; at least 4 are needed")
            kept_rows, held = held_out(len(pixels), self.calibration, config.seed)
            started = start(config, assembly.parts.backbone)
            height, width = pixels.shape[2:]
            set_up(config, assembly, 1, (height, width))
        inliers = images.subset(kept_rows)
        check_first_use(assembly, inliers.pixels[:SAMPLE])
        with locating(config):
            freeze(config, assembly.parts.backbone, inliers.pixels)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        assembly.method.to(device).to(memory_format=torch.channels_last)
        splits = Splits(inliers, inliers)
        run = Run(config, None, splits, {}, assembly, device, verbose=self.verbose)
        run.started_from = started
        with run.observed():
            run.hook.adframe_run_start(run=run)
            train(run)
        assembly.method.eval()
        size = list(pixels.shape[1:])
        method = folded(assembly.method, size)
        fit(assembly.scorers, method, assembly.shifts, inliers, config.seed)
        facts = {"format": FORMAT, "image_size": size, "classes": ["inlier"], "epochs": run.epoch}
        facts |= {} if reading.region is None else {"region": reading.region.facts}
        detector = Detector(
            config, assembly, {**facts, "config": {}, "images": ""}, (), inliers.names
        )
        return detector, -detector.score_prepared(pixels[held])

    def score_samples(self, X: ImagesLike) -> np.ndarray:  # noqa: N803
        """Scores, shape (N,): minus those of ``Detector.score``, so lower is more anomalous."""
        check_is_fitted(self, "detector_")
        found: np.ndarray = -self.detector_.score(X)
        return found

    def decision_function(self, X: ImagesLike) -> np.ndarray:  # noqa: N803
        """Scores minus ``offset_``, shape (N,): negative for anomalies."""
        check_is_fitted(self, "detector_")
        found: np.ndarray = self.score_samples(X) - self.offset_
        return found

    def predict(self, X: ImagesLike) -> np.ndarray:  # noqa: N803
        """-1 for anomalies, 1 for inliers, shape (N,), int."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags


def _settings(settings: Mapping[str, Any] | Iterable[str] | None) -> list[str]:
    if isinstance(settings, Mapping):
        return [f"{key}={value}" for key, value in settings.items()]
    return [settings] if isinstance(settings, str) else list(settings or ())


def _size_of(images: Tensor | np.ndarray | list[OneImage]) -> tuple[int, int]:
    """Height and width of the first image.

    Raises:
        UserError: there is none, or it is no image.
    """
    if not len(images):
        raise UserError("no images")
    first = images[0] if isinstance(images, list) else images
    if isinstance(first, Image):
        high, wide = as_pixels(first).shape[1:]
    elif isinstance(first, Tensor | np.ndarray):
        high, wide = as_batch(first).shape[1:3]
    else:
        high, wide = read_image(first).shape[1:]
    return high, wide
