"""The anomaly scores of iDECODe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from adframe import UserError
from adframe.interfaces import Features, Scorer, ViewSpec


class PairError(Scorer):
    """Mean error of the network that predicts the shift from a pair of images.

    This is iDECODe's non-conformity score (Kaur et al., AAAI 2022) up to a constant factor. Nothing
    is fitted.
    """

    def view_spec(self) -> ViewSpec:
        return ViewSpec(outputs=("pair_error",))

    def score(self, features: Features) -> Tensor:
        return features["pair_error"].mean(dim=(1, 2, 3))


class Conformal(Scorer):
    """Conformal p-value of another score, calibrated on images held out from training.

    p = (number of calibration images with at least the image's score + 1) / (number of calibration
    images + 1). It is the share of normal images that are at least as unusual. The score is 1 - p.
    The inner score is fitted on the images that were trained on. The ranking is that of the inner
    score, with more ties: all images that score above the calibration set have the same p.

    Args:
        of: The score to calibrate. It must read images without augmentation, since the content of
            an image decides whether it was held out. iDECODe's is ``pair_error``.

    Raises:
        ValueError: the inner score reads augmented images.
    """

    def __init__(self, of: Scorer) -> None:
        self.of = of
        if of.view_spec().transform is not None or of.view_spec().pre_shift is not None:
            raise ValueError("conformal needs a scorer that uses no augmentation")
        self.needs_exposed, self.needs_classes = of.needs_exposed, of.needs_classes

    def view_spec(self) -> ViewSpec:
        spec = self.of.view_spec()
        return replace(spec, outputs=(*spec.outputs, "held_out"))

    def fit(self, features: Features) -> None:
        held_out = features["held_out"].flatten(1)[:, 0] > 0
        if not held_out.any() or held_out.all():
            share = "none" if not held_out.any() else "all"
            raise UserError(
                f"{share} of {len(held_out)} training images are held out to calibrate on; "
                "use more images, or another share (method.held_out)"
            )
        self.of.fit({name: values[~held_out] for name, values in features.items()})
        self._held_out = {name: values[held_out] for name, values in features.items()}
        if not self.needs_exposed:  # otherwise the inner score is not complete yet
            self._calibrate()

    def expose(self, features: Features) -> None:
        self.of.expose(features)
        self._calibrate()

    def _calibrate(self) -> None:
        self.calibration = self.of.score(self._held_out).double().sort().values
        del self._held_out

    def score(self, features: Features) -> Tensor:
        scores = self.of.score(features).double().cpu()
        return (1 - p_values(scores, self.calibration)).float()

    def state(self) -> dict[str, Tensor]:
        inner = {f"of.{name}": value for name, value in self.of.state().items()}
        return {**inner, **super().state()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        own = {name: value for name, value in state.items() if not name.startswith("of.")}
        super().restore(own)
        self.of.restore({k.removeprefix("of."): v for k, v in state.items() if k not in own})


def p_values(scores: Tensor, calibration: Tensor) -> Tensor:
    """Conformal p-values of (N,) scores, from (M,) scores of normal images in ascending order."""
    below = torch.searchsorted(calibration, scores, side="left")
    return (len(calibration) - below + 1).double() / (len(calibration) + 1)
