import pytest
import torch
from torch import Tensor

from adframe.interfaces import Augmentation, RandomKeys
from adframe_csi.scorer import CSI

SHIFTS = 3


class Nothing(Augmentation):
    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        return images


def features(count: int, seed: int, views: int = 4) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    projection = torch.randn(count, views, SHIFTS, 5, generator=generator) * 3 + 1
    logits = torch.randn(count, views, SHIFTS, SHIFTS, generator=generator) + 2
    return {"projection": projection, "shift_logits": logits}


def mean(vectors: list[list[float]]) -> list[float]:
    return [sum(column) / len(vectors) for column in zip(*vectors, strict=True)]


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def by_hand(train: dict[str, Tensor], image: dict[str, Tensor], con: float, cls: float) -> float:
    """The score of one image, loop by loop."""

    def seen(of: dict[str, Tensor], index: int, name: str, shift: int) -> list[float]:
        return mean([view[shift].tolist() for view in of[name][index]])

    count, total = len(train["projection"]), 0.0
    for k in range(SHIFTS):
        bank = [seen(train, m, "projection", k) for m in range(count)]
        lengths = [dot(vector, vector) ** 0.5 for vector in bank]
        logits = [seen(train, m, "shift_logits", k)[k] for m in range(count)]
        vector = seen(image, 0, "projection", k)
        nearest = max(
            dot(vector, [entry / length for entry in axis])
            for axis, length in zip(bank, lengths, strict=True)
        )
        total += con * nearest / (sum(lengths) / count)
        total += cls * seen(image, 0, "shift_logits", k)[k] / (sum(logits) / count)
    return -total / SHIFTS


@pytest.mark.parametrize(("form", "con", "cls"), [("both", 1, 1), ("con", 1, 0), ("cls", 0, 1)])
def test_is_the_score_of_csi_loop_by_loop(form: str, con: float, cls: float) -> None:
    train, test = features(12, 0), features(6, 1)
    scorer = CSI(form=form)
    scorer.fit(train)
    expected = [
        by_hand(train, {name: value[i : i + 1] for name, value in test.items()}, con, cls)
        for i in range(6)
    ]
    torch.testing.assert_close(scorer.score(test), torch.tensor(expected), atol=1e-4, rtol=1e-5)


def test_without_length_only_the_direction_counts() -> None:
    train, test = features(12, 0), features(6, 1)
    scorer = CSI(form="con", length=False)
    scorer.fit(train)
    bank, vectors = (of["projection"].mean(1) for of in (train, test))  # (N, shifts, D)
    cosine = torch.cosine_similarity(vectors[:, None], bank, dim=-1)  # (N, M, shifts)
    torch.testing.assert_close(scorer.score(test), -cosine.amax(1).mean(1))
    longer = {"projection": 7 * test["projection"]}
    torch.testing.assert_close(scorer.score(longer), scorer.score(test))


@pytest.mark.parametrize("form", ["both", "con", "cls"])
def test_it_is_restored_and_each_image_scored_by_itself(form: str) -> None:
    scorer, test = CSI(form=form), features(6, 1)
    scorer.fit(features(12, 0))
    restored = CSI(form=form)
    restored.restore({name: value.clone() for name, value in scorer.state().items()})
    scores = scorer.score(test)
    assert torch.equal(restored.score(test), scores)
    rows = torch.tensor([5, 0, 0])
    part = scorer.score({name: value[rows] for name, value in test.items()})
    torch.testing.assert_close(part, scores[rows])


def test_it_looks_at_what_its_form_needs_under_every_shift() -> None:
    after, before = Nothing(), Nothing()
    spec = CSI(after, views=10, pre_shift=before).view_spec()
    assert (spec.views, spec.transform, spec.pre_shift, spec.apply_shifts) == (
        10,
        after,
        before,
        True,
    )
    assert spec.outputs == ("projection", "shift_logits")
    assert CSI(form="con").view_spec().outputs == ("projection",)
    assert CSI(form="cls").view_spec().outputs == ("shift_logits",)
    assert CSI().view_spec().views == 1
    assert not spec.independent
    assert CSI(after, independent=True).view_spec().independent
