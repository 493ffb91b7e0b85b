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
from adframe.interfaces import Features, MapScorer, Scorer, ViewSpec
from adframe.testing.fakes import SmallMethod
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
    ``features`` have as many columns as there are shift variants, as those of a classifier. In
    windows and feature maps they grow from place to place.
    """
    variants = VARIANTS if spec.apply_shifts else 1
    generator = torch.Generator().manual_seed(seed)
    side = spec.windows.size + 2 * spec.windows.stride if spec.windows else 16
    grid = (3, 3) if spec.windows else (4, 4)
    places = len(torch.empty(grid).flatten()) if spec.windows or spec.stages else 1
    slope = torch.linspace(0.5, 1.5, places) if places > 1 else torch.ones(1)
    made = {}
    for name in (*spec.outputs, *(f"stage_{stage}" for stage in spec.stages)):
        width = VARIANTS if name in spec.outputs and name != "features" else WIDTH
        noise = torch.randn(count, spec.views, variants, width, places, generator=generator)
        classes = labelled and width == WIDTH
        place = 10.0 if normal or classes else -3.0
        axes = torch.eye(variants, width)[..., None] * slope
        made[name] = 0.5 * noise + place * axes
        if classes and normal:
            axis = width - 1 - torch.arange(count) % CLASSES
            made[name] += 10.0 * torch.eye(width)[axis][:, None, None, :, None]
        made[name] = made[name].view(*noise.shape[:4], *grid) if places > 1 else made[name][..., 0]
    if places > 1:
        made["size"] = torch.full((count, 2), side)
    return made


def _fitted(subject: Subject, seed: int = 0, labels: tuple[bool, ...] = (False, True)) -> Fitted:
    """A scorer fitted without labels, or with labels if it refuses unlabelled features."""
    refusals = []
    for labelled in labels:
        scorer: Any = subject.make()
        torch.manual_seed(seed)
        label = torch.arange(TRAIN) % CLASSES if labelled else torch.full((TRAIN,), -1)
        try:
            _fit(scorer, label, labelled)
        except UserError as error:
            refusals.append(str(error))
            continue
        return Fitted(scorer, labelled)
    raise SkipTest(f"{subject} refuses the kit's features: {'; '.join(refusals)}")


def _fit(scorer: Scorer, label: Tensor, labelled: bool) -> None:
    """Fit a scorer as a run does, on one image for each label."""
    count, spec = len(label), scorer.view_spec()
    known = {"label": label, "index": torch.arange(count)}
    inliers = {**_features(spec, count, True, labelled, seed=0), **known}
    scorer.fit(scorer.collect(inliers))
    if getattr(scorer, "needs_exposed", False):
        outliers = {**_features(spec, count, False, labelled, seed=6), **known}
        scorer.expose(scorer.collect(outliers))


def _rows(features: Features, rows: Tensor | slice) -> dict[str, Tensor]:
    return {name: values[rows] for name, values in features.items()}


def requests_views_and_outputs(subject: Subject) -> None:
    """``view_spec`` requests at least one view and one output or stage, no output twice."""
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
    label = torch.tensor([0 if labelled else -1])
    try:
        _fit(scorer, label, labelled)
        scores = scorer.score(_features(scorer.view_spec(), TEST, True, labelled, seed=1))
    except UserError:
        return
    assert scores.isfinite().all(), "scores are not finite after fit on one training image"


def higher_is_more_anomalous(subject: Subject) -> None:
    """Images unlike the training images get higher scores than images like them."""
    fitted = _fitted(subject)
    normal, far = (fitted.scorer.score(fitted.features(2, normal)) for normal in (True, False))
    value = auroc({"inliers": normal, "far": far})["far"]
    if value < 0.9 and set(fitted.scorer.view_spec().outputs) - {"features"}:
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


def maps_have_the_size_of_the_image(subject: Subject) -> None:
    """Maps are (N, H, W), finite; the scores are ``reduce`` of them."""
    fitted = _fitted(subject)
    if not isinstance(fitted.scorer, MapScorer):
        raise SkipTest(f"{subject} gives no maps")
    features = fitted.features(seed=7)
    maps = fitted.scorer.maps(features)
    problem = returned.maps(maps, features["size"])
    assert not problem, problem
    assert maps.isfinite().all(), "maps are not finite"
    close(fitted.scorer.score(features), fitted.scorer.reduce(maps), "score of the map", 1e-6)


def computes_what_it_requests(subject: Subject) -> None:
    """What the scorer computes with the network: each output of each image, separately."""
    scorer: Scorer = subject.make()
    spec = scorer.view_spec()
    if spec.compute is None:
        raise SkipTest(f"{subject} computes nothing with the network")
    if not isinstance(SmallMethod(), scorer.needs_method):
        raise SkipTest(f"{subject} needs a method of class {scorer.needs_method.__qualname__}")
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    method = SmallMethod().eval()
    with torch.enable_grad():
        together, alone = spec.compute(method, images), spec.compute(method, images[2:3])
    problem = returned.embedding(together, spec.outputs, 4, "compute")
    assert not problem, problem
    for name in spec.outputs:
        close(alone[name].detach(), together[name][2:3].detach(), f"'{name}' of one image")
