import math

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from adframe import UserError
from adframe.interfaces import Augmentation, RandomKeys
from adframe_scorers.softmax import LinearProbe, MaxSoftmax


class Nothing(Augmentation):
    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        return images


def test_max_softmax_by_hand_over_views_and_shifts() -> None:
    views = [[[1.0, 0, 0], [3.0, 0, 0]], [[0, 0, 2.0], [0, 0, 0]]]
    logits = torch.tensor([views])
    mean = [1.0, 0.0, 0.5]  # of two views under two shifts
    largest = math.e / sum(math.exp(value) for value in mean)
    score = MaxSoftmax().score({"class_logits": logits})
    torch.testing.assert_close(score, torch.tensor([1 - largest]))


def test_joint_logits_are_read_at_the_shift_that_made_the_image() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 2, 3, 6, generator=generator)  # 3 shifts, 2 classes
    expected = []
    for image in logits:
        rows = [view[k][2 * k : 2 * k + 2] for view in image for k in range(3)]
        probabilities = (sum(rows) / 6).softmax(0)
        expected.append(1 - probabilities.max().item())
    scores = MaxSoftmax("joint_logits").score({"joint_logits": logits})
    torch.testing.assert_close(scores, torch.tensor(expected))


def test_what_it_looks_at() -> None:
    spec = MaxSoftmax().view_spec()
    assert (spec.views, spec.apply_shifts, spec.outputs) == (1, False, ("class_logits",))
    assert MaxSoftmax("joint_logits").view_spec().apply_shifts
    augmentation = Nothing()
    spec = LinearProbe(apply_shifts=True, augmentation=augmentation, views=3).view_spec()
    assert (spec.views, spec.transform, spec.apply_shifts) == (3, augmentation, True)


def labelled(count: int, classes: int, shifts: int = 1, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(count) % classes
    rows = torch.randn(count, 2, shifts, 6, generator=generator)
    rows[..., 0] += 2 * label[:, None, None]
    rows[..., 1] += 2 * torch.arange(shifts)
    return {"features": rows, "label": label}


@pytest.mark.parametrize(("classes", "shifts"), [(3, 1), (2, 1), (2, 3)])
def test_linear_probe_is_scikit_learns_classifier(classes: int, shifts: int) -> None:
    train, test = labelled(60, classes, shifts), labelled(9, classes, shifts, seed=1)
    probe = LinearProbe(apply_shifts=shifts > 1)
    probe.fit(train)

    rows, target = [], []
    for vectors, label in zip(train["features"], train["label"].tolist(), strict=True):
        for view in vectors:
            for k in range(shifts):
                rows.append(view[k].double().numpy())
                target.append(label + classes * k)
    scaler = StandardScaler().fit(rows)
    theirs = LogisticRegression(max_iter=1000).fit(scaler.transform(rows), target)
    expected = []
    for vectors in test["features"]:
        total = torch.zeros(classes, dtype=torch.float64)
        for view in vectors:
            for k in range(shifts):
                out = theirs.decision_function(scaler.transform(view[k : k + 1].double().numpy()))
                row = [0.0, out[0]] if out.ndim == 1 else out[0][classes * k : classes * (k + 1)]
                total += torch.tensor(row, dtype=torch.float64)
        expected.append(1 - (total / (2 * shifts)).softmax(0).max().item())
    torch.testing.assert_close(probe.score(test), torch.tensor(expected), atol=1e-3, rtol=0)


def test_linear_probe_is_restored_from_its_state() -> None:
    probe, test = LinearProbe(), labelled(9, 3, seed=1)
    probe.fit(labelled(60, 3))
    restored = LinearProbe()
    restored.restore(probe.state())
    assert torch.equal(restored.score(test), probe.score(test))


def test_a_class_without_training_images_is_never_the_likeliest() -> None:
    train = labelled(60, 2)
    train["label"] = train["label"] * 2  # 0 and 2
    probe = LinearProbe()
    probe.fit(train)
    scores = probe.score(labelled(9, 2, seed=1))
    assert torch.isfinite(scores).all()
    assert scores.max() <= 0.5


@pytest.mark.parametrize("label", [-1, 0])
def test_fewer_than_two_classes_are_refused(label: int) -> None:
    train = labelled(6, 2)
    train["label"] = torch.full((6,), label)
    with pytest.raises(UserError, match="at least two labelled"):
        LinearProbe().fit(train)


def test_what_is_not_labelled_is_not_learned_from() -> None:
    train, test = labelled(60, 3), labelled(9, 3, seed=1)
    probe, all_known = LinearProbe(), LinearProbe()
    all_known.fit(train)
    rows = torch.cat([train["features"], torch.randn(5, 2, 1, 6)])
    probe.fit({"features": rows, "label": torch.cat([train["label"], torch.full((5,), -1)])})
    assert torch.equal(probe.score(test), all_known.score(test))
