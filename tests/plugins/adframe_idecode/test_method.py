from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adframe.interfaces import (
    Augmentation,
    Backbone,
    Batch,
    Loss,
    LossDims,
    LossTerm,
    MethodParts,
    RandomKeys,
    Views,
)
from adframe_goad.losses import TripletCentre
from adframe_idecode.method import Equivariance
from adframe_idecode.small_rotation import SmallRotation
from adframe_losses.shift_classification import ShiftClassification
from adframe_schedules.uniform import Uniform
from adframe_shifts.geometric import Rotation
from adframe_unicon_ha.schedule import Hierarchical


class Net(Backbone):
    """Two stages of one convolution each; no batch normalisation, so rows are independent."""

    def __init__(self) -> None:
        super().__init__()
        self.widths = [4, 6]
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3)

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        first = F.relu(self.first(images))
        return [first, F.relu(self.second(first))][:depth]


class Plain(Augmentation):
    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        return images.float() / 255


class Keep(Loss):
    """Keeps what it is given; no classifier."""

    reads = "features"

    def setup(self, dims: LossDims) -> None:
        self.dims = dims
        self.seen: list[tuple[Tensor, Views]] = []

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        self.seen.append((embeddings, views))
        return embeddings.mean()


def method(
    losses: tuple[Callable[[], Loss], ...] = (ShiftClassification, Keep), **options: object
) -> Equivariance:
    torch.manual_seed(0)
    made = Equivariance(hidden=5, **options)
    terms = [LossTerm(loss, None, weight) for loss, weight in zip(losses, (1.0, 3.0), strict=False)]
    made.setup(MethodParts(Net(), [Rotation()], Uniform(Plain()), terms, 1))
    return made


def pixels(count: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (count, 3, 8, 8), generator=generator).byte()


def batch(images: Tensor) -> Batch:
    keys = torch.arange(len(images))
    return Batch(images, torch.full_like(keys, -1), RandomKeys.from_index(0, keys))


def hidden(made: Equivariance, first: Tensor, second: Tensor) -> Tensor:
    """The pair's embedding of one image and one shifted one."""
    both = [made.backbone(x[None])[-1].mean((2, 3)) for x in (first, second)]
    return F.relu(made.pair(torch.cat(both, 1)))[0]


def test_losses_see_the_pair_of_every_image_and_each_of_its_shifted_selves() -> None:
    made, images = method(held_out=0.0), pixels(3)
    (update,) = made.step(batch(images), 0.5)
    keep = made.terms[1]
    embeddings, views = keep.seen[0]
    assert keep.dims == LossDims(embedding=5, shifts=4, classes=1)
    assert len(embeddings) == len(views) == 12
    for row, source, shift in zip(embeddings, views.source, views.shift, strict=True):
        image = images[source].float() / 255
        expected = hidden(made, image, torch.rot90(image, int(shift), (-2, -1)))
        torch.testing.assert_close(row, expected)
    assert sorted(zip(views.source.tolist(), views.shift.tolist(), strict=True)) == [
        (source, shift) for source in range(3) for shift in range(4)
    ]
    logits = made.terms[0].predict(embeddings)["shift_logits"]
    total = F.cross_entropy(logits, views.shift) + 3 * embeddings.mean()
    torch.testing.assert_close(update.loss, total)


def test_errors_are_those_of_the_true_shift_one_a_pair() -> None:
    made, images = method(draws=1).eval(), pixels(5).float() / 255
    found = made.embed(images)
    assert found["pair_error"].shape == (5, 4)
    torch.testing.assert_close(found["features"], made.backbone(images)[-1].mean((2, 3)))
    for index, image in enumerate(images):
        for shift in range(4):
            pair = hidden(made, image, torch.rot90(image, shift, (-2, -1)))
            logits = made.terms[0].predict(pair[None])["shift_logits"]
            expected = F.cross_entropy(logits, torch.tensor([shift]))
            torch.testing.assert_close(found["pair_error"][index, shift], expected)


def test_test_time_jitter_varies_from_draw_to_draw_and_belongs_to_the_image() -> None:
    made, images = method(draws=3, jitter=SmallRotation(10)).eval(), pixels(6).float() / 255
    whole = made.embed(images)["pair_error"]
    assert whole.shape == (6, 12)
    assert not torch.allclose(whole[:, :4], whole[:, 4:8])
    part = made.embed(images[[4, 1]])
    torch.testing.assert_close(part["pair_error"], whole[[4, 1]])


def test_held_out_images_are_a_share_and_never_train() -> None:
    made, images = method(held_out=0.25), pixels(400)
    flag = made.embed(images.float() / 255)["held_out"][:, 0] > 0
    assert 70 < int(flag.sum()) < 130
    list(made.step(batch(images), 0.0))
    embeddings, views = made.terms[1].seen[0]
    assert len(embeddings) == 4 * int((~flag).sum())
    expected = hidden(made, *[images[~flag][0].float() / 255] * 2)
    torch.testing.assert_close(embeddings[(views.source == 0) & (views.shift == 0)][0], expected)
    assert list(made.step(batch(images[flag]), 0.0)) == []


def test_the_official_code_averages_the_errors_of_neighbours_as_the_public_code_does() -> None:
    images = pixels(8).float() / 255
    right = method(draws=2).eval().embed(images)["pair_error"].view(8, 2, 4)
    wrong = method(draws=2, official_code=True).eval().embed(images)["pair_error"].view(8, 2, 4)
    for draw in range(2):
        by_shift = np.concatenate([right[:, draw, shift].detach().numpy() for shift in range(4)])
        np.testing.assert_allclose(
            wrong[:, draw].detach().numpy(), by_shift.reshape(8, 4), rtol=1e-5
        )


def test_faithful_it_tells_a_loss_that_is_no_classifier_wrong_shifts() -> None:
    made = method(official_code=True, held_out=0.0)
    (update,) = made.step(batch(pixels(8)), 0.0)
    embeddings, views = made.terms[1].seen[0]
    assert views.shift.tolist() == [0, 1, 2, 3] * 8
    logits = made.terms[0].predict(embeddings)["shift_logits"]
    true = torch.arange(4).repeat_interleave(8)
    torch.testing.assert_close(update.loss, F.cross_entropy(logits, true) + 3 * embeddings.mean())


def test_every_row_stays_in_the_triplet_centre_term_under_the_wrong_shifts() -> None:
    made = method(official_code=True, held_out=0.0)
    list(made.step(batch(pixels(8)), 0.0))
    _, views = made.terms[1].seen[0]
    assert views.inlier.tolist() == [True, False, False, False] * 8
    z = torch.sin(torch.arange(32 * 3.0)).view(32, 3)
    read = z.view(8, 4, 3)  # as the public code reads the rows
    squared = (read[:, :, None] - read.mean(0)).square().sum(-1)
    own = squared.diagonal(dim1=1, dim2=2)
    other = (squared + torch.eye(4) * 1e9).amin(2)
    expected = (own + 0.1 - other).clamp(min=0).mean()
    torch.testing.assert_close(TripletCentre(margin=0.1)(z, views), expected)


def test_the_classifier_is_saved_once() -> None:
    names = [name for name in method().state_dict() if "classifier" in name]
    assert names
    assert all(name.startswith("terms.0.") for name in names)


@pytest.mark.parametrize(
    ("parts", "say"),
    [
        ({"schedule": Hierarchical(Plain())}, "only the last stage"),
        ({"objective": [LossTerm(Keep, None, 1.0)]}, "predicts the shift"),
        ({"objective": [LossTerm(ShiftClassification, [1], 1.0)]}, "stage 2 only"),
        ({"objective": [LossTerm(ShiftClassification, None, [1.0, 2.0])]}, "one weight"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts: dict, say: str) -> None:
    terms = [LossTerm(ShiftClassification, None, 1.0)]
    given = {"schedule": Uniform(Plain()), "objective": terms, **parts}
    with pytest.raises(ValueError, match=say):
        Equivariance().setup(MethodParts(Net(), [Rotation()], classes=1, **given))
