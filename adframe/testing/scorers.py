"""Checks of scorers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from unittest import SkipTest

import torch
from torch import Tensor

from adframe.engine import returned
from adframe.engine.metrics import auroc
from adframe.errors import UserError
from adframe.interfaces import Features, Scorer, ViewSpec
from adframe.testing.subject import Subject, close

WIDTH, VARIANTS, TRAIN, TEST, CLASSES = 16, 4, 60, 24, 3


@dataclass
class Fitted:
    """A fitted scorer, and features of images to score."""

    scorer: Scorer
    labelled: bool

    def features(self, seed: int, normal: bool = True) -> dict[str, Tensor]:
        """Features of ``TEST`` images, which resemble the training images or not."""
        return _features(self.scorer.view_spec(), TEST, normal, self.labelled, seed)


def _features(
    spec: ViewSpec, count: int, normal: bool, labelled: bool, seed: int
) -> dict[str, Tensor]:
    """Random features like those of a trained network: each shift has one axis.

    Inliers lie far out on the axis; outliers lie on the other side, nearer to the origin. With
    labels, each class has one more axis, and outliers lie on none of these. Outputs other than
    ``features`` have as many columns as there are shift variants, as those of a classifier.
    """
    variants = VARIANTS if spec.apply_shifts else 1
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name in spec.outputs:
        width = WIDTH if name == "features" else VARIANTS
        noise = torch.randn(count, spec.views, variants, width, generator=generator)
        classes = labelled and name == "features"
        place = 10.0 if normal or classes else -3.0
        made[name] = 0.5 * noise + place * torch.eye(variants, width)
        if classes and normal:
            axis = width - 1 - torch.arange(count) % CLASSES
            made[name] += 10.0 * torch.eye(width)[axis][:, None, None]
    return made


def _fitted(subject: Subject, seed: int = 0, labels: tuple[bool, ...] = (False, True)) -> Fitted:
    """A scorer fitted without labels, or with labels if it refuses unlabelled features."""
    refusals = []
    for labelled in labels:
        scorer: Any = subject.make()
        torch.manual_seed(seed)
        label = torch.arange(TRAIN) % CLASSES if labelled else torch.full((TRAIN,), -1)
        spec = scorer.view_spec()
        try:
            scorer.fit({**_features(spec, TRAIN, True, labelled, seed=0), "label": label})
            if getattr(scorer, "needs_exposed", False):
                scorer.expose(_features(spec, TRAIN, False, labelled, seed=6))
        except UserError as error:
            refusals.append(str(error))
            continue
        return Fitted(scorer, labelled)
    raise SkipTest(f"{subject} refuses the kit's features: {'; '.join(refusals)}")


def _rows(features: Features, rows: Tensor | slice) -> dict[str, Tensor]:
    return {name: values[rows] for name, values in features.items()}


def requests_views_and_outputs(subject: Subject) -> None:
    """``view_spec`` requests at least one view and one output, no output twice."""
    spec = subject.make().view_spec()
    problem = returned.view_spec(spec)
    assert not problem, problem
    assert len(set(spec.outputs)) == len(spec.outputs), (
        f"view_spec requests an output twice: {spec.outputs}"
    )


def scores_each_image_once(subject: Subject) -> None:
    """Scores are (N,), finite, float32, with labels or not; the features are not changed."""
    for labels in ((False, True), (True,)):
        fitted = _fitted(subject, labels=labels)
        features = fitted.features(seed=1)
        before = {name: value.clone() for name, value in features.items()}
        scores = fitted.scorer.score(features)
        problem = returned.scores(scores, TEST)
        assert not problem, problem
        assert scores.dtype == torch.float32, f"scores are {scores.dtype}"
        assert scores.isfinite().all(), "scores are not finite"
        for name, value in before.items():
            assert torch.equal(features[name], value), f"the features '{name}' were changed"


def one_training_image_is_enough_or_refused(subject: Subject) -> None:
    """After ``fit`` on one image scores are finite, or it raises ``UserError``."""
    scorer: Any = subject.make()
    labelled = bool(getattr(scorer, "needs_classes", False))
    spec, label = scorer.view_spec(), torch.tensor([0 if labelled else -1])
    try:
        scorer.fit({**_features(spec, 1, True, labelled, seed=0), "label": label})
        if getattr(scorer, "needs_exposed", False):
            scorer.expose(_features(spec, 1, False, labelled, seed=6))
        scores = scorer.score(_features(spec, TEST, True, labelled, seed=1))
    except UserError:
        return
    assert scores.isfinite().all(), "scores are not finite after fit on one training image"


def higher_is_more_anomalous(subject: Subject) -> None:
    """Images unlike the training images get higher scores than images like them."""
    fitted = _fitted(subject)
    normal, far = (fitted.scorer.score(fitted.features(2, normal)) for normal in (True, False))
    value = auroc({"inliers": normal, "far": far})["far"]
    if value < 0.9 and set(fitted.scorer.view_spec().outputs) != {"features"}:
        raise SkipTest(f"{subject} reads outputs whose meaning the kit does not know")
    assert value >= 0.9, (
        f"AUROC {value:.2f} of images unlike the training images; at least 0.9 is expected"
    )


def score_does_not_depend_on_other_images(subject: Subject) -> None:
    """A score does not depend on the other images, their order, or the batch size."""
    fitted = _fitted(subject)
    features, score = fitted.features(seed=3), fitted.scorer.score
    together = score(features)
    for size in (1, 7):
        blocks = [slice(start, start + size) for start in range(0, TEST, size)]
        close(torch.cat([score(_rows(features, rows)) for rows in blocks]), together,
              f"{size} at a time")  # fmt: skip
    back = torch.arange(TEST - 1, -1, -1)
    close(score(_rows(features, back)), together[back], "in another order")


def fitting_is_deterministic(subject: Subject) -> None:
    """Fitting twice on equal features gives equal scores; the global generator has no effect."""
    one, other = _fitted(subject), _fitted(subject, seed=1)
    features = one.features(seed=4)
    close(other.scorer.score(features), one.scorer.score(features), "fitted again", 1e-6)


def state_reloads(subject: Subject) -> None:
    """``state()`` holds only tensors; after ``restore`` another instance gives the same scores."""
    fitted = _fitted(subject)
    state = fitted.scorer.state()
    for name, value in state.items():
        assert isinstance(value, Tensor), f"state '{name}' is {type(value).__name__}, not a tensor"
    features = fitted.features(seed=5)
    other: Scorer = subject.make()
    other.restore({name: value.clone() for name, value in state.items()})
    close(other.score(features), fitted.scorer.score(features), "restored", 1e-6)
