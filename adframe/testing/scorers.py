"""What the core relies on in a scorer."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe.evaluate import auroc
from adframe.interfaces import Features, Look, Scorer
from adframe.testing.subject import Subject, close

WIDTH, VARIANTS, TRAIN, TEST, CLASSES = 16, 4, 60, 24, 3


def _features(look: Look, count: int, normal: bool, seed: int) -> dict[str, Tensor]:
    """Features as a trained network has them: a shift's images lie along an axis of its own.

    What is normal lies far out on it; what is not, on the other side and nearer the origin.
    Outputs other than ``features`` are as wide as there are variants, as a classifier's are.
    """
    variants = VARIANTS if look.shifted else 1
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name in look.outputs:
        width = WIDTH if name == "features" else VARIANTS
        noise = torch.randn(count, look.views, variants, width, generator=generator)
        made[name] = 0.5 * noise + (10.0 if normal else -3.0) * torch.eye(variants, width)
    return made


def _fitted(subject: Subject, labelled: bool = False, seed: int = 0) -> Scorer:
    scorer: Scorer = subject.make()
    torch.manual_seed(seed)
    label = torch.arange(TRAIN) % CLASSES if labelled else torch.full((TRAIN,), -1)
    scorer.fit({**_features(scorer.look(), TRAIN, True, seed=0), "label": label})
    return scorer


def _rows(features: Features, rows: Tensor | slice) -> dict[str, Tensor]:
    return {name: values[rows] for name, values in features.items()}


def looks_at_what_can_be_seen(subject: Subject) -> None:
    """``look`` asks for one view or more of one output or more, each named once."""
    look = subject.make().look()
    assert look.views >= 1, f"{look.views} views"
    assert look.outputs, "no outputs"
    assert len(set(look.outputs)) == len(look.outputs), f"outputs {look.outputs}"


def scores_each_image_once(subject: Subject) -> None:
    """(N,) finite float32, labelled or not, and the features are kept as they were."""
    for labelled in (False, True):
        scorer = _fitted(subject, labelled)
        features = _features(scorer.look(), TEST, True, seed=1)
        before = {name: value.clone() for name, value in features.items()}
        scores = scorer.score(features)
        assert scores.shape == (TEST,), f"shape {tuple(scores.shape)} for {TEST} images"
        assert scores.dtype == torch.float32, str(scores.dtype)
        assert scores.isfinite().all(), "scores are not finite"
        for name, value in before.items():
            assert torch.equal(features[name], value), f"changes '{name}'"


def higher_is_more_anomalous(subject: Subject) -> None:
    """Images far from the training images get higher scores than images like them."""
    scorer = _fitted(subject)
    normal, other = (
        scorer.score(_features(scorer.look(), TEST, normal, seed=2)) for normal in (True, False)
    )
    value = auroc({"inliers": normal, "far": other})["far"]
    assert value >= 0.9, f"AUROC {value:.2f} of images far off against images like the fitted ones"


def company_means_nothing(subject: Subject) -> None:
    """A score does not depend on what else is scored, in which order, how many at a time."""
    scorer = _fitted(subject)
    features = _features(scorer.look(), TEST, True, seed=3)
    together = scorer.score(features)
    for size in (1, 7):
        parts = [
            scorer.score(_rows(features, slice(start, start + size)))
            for start in range(0, TEST, size)
        ]
        close(torch.cat(parts), together, f"{size} at a time")
    back = torch.arange(TEST - 1, -1, -1)
    close(scorer.score(_rows(features, back)), together[back], "in another order")


def no_chance_is_left(subject: Subject) -> None:
    """Fitted twice on the same features it scores the same, whatever the generator's state."""
    one = _fitted(subject)
    features = _features(one.look(), TEST, True, seed=4)
    again = _fitted(subject, seed=1).score(features)
    close(again, one.score(features), "fitted again", 1e-6)


def state_reloads(subject: Subject) -> None:
    """A new instance scores the same once it is given ``state()``, tensors only."""
    one = _fitted(subject)
    state = one.state()
    for name, value in state.items():
        assert isinstance(value, Tensor), f"state '{name}' is a {type(value).__name__}"
    features = _features(one.look(), TEST, True, seed=5)
    other: Scorer = subject.make()
    other.restore({name: value.clone() for name, value in state.items()})
    close(other.score(features), one.score(features), "restored", 1e-6)
