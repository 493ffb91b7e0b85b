import math
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from adframe import UserError
from adframe.interfaces import (
    Augmentation,
    Backbone,
    Batch,
    Loss,
    LossDims,
    LossTerm,
    MethodParts,
    RandomKeys,
    Schedule,
    Shift,
    Stage,
    Update,
    Views,
)
from adframe_backbones.resnet import ResNet18
from adframe_methods.contrastive import Contrastive
from adframe_schedules.phases import Phases
from adframe_schedules.uniform import Uniform
from adframe_shifts.geometric import Rotation
from adframe_unicon_ha.loss import UniCLR
from adframe_unicon_ha.schedule import Hierarchical

WIDTHS = [3, 4, 5, 6]


class Chain(Backbone):
    """Four small stages that halve the image; keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.widths = WIDTHS
        self.stages = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1)
            for before, after in zip([3, *WIDTHS], WIDTHS, strict=False)
        )
        self.asked: list[tuple[Tensor, int | None]] = []

    def forward(self, images: Tensor, depth: int | None = None) -> list[Tensor]:
        self.asked.append((images.detach().clone(), depth))
        maps = []
        for stage in self.stages[:depth]:
            images = stage(images)
            maps.append(images)
        return maps


class AsFloat(Augmentation):
    """Leaves the pixels; keeps the strengths it was called with, and the number of images."""

    def __init__(self) -> None:
        self.called: list[tuple[float, int]] = []

    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        assert len(images) == len(keys)
        self.called.append((strength, len(images)))
        return images / 255


class Noise(AsFloat):
    def __call__(self, images: Tensor, keys: RandomKeys, strength: float = 1.0) -> Tensor:
        return super().__call__(images, keys, strength) * keys.uniform(3, 8, 8)


class Invert(Shift):
    variants = 2

    def __call__(self, images: Tensor, variant: int) -> Tensor:
        return images if variant == 0 else 255 - images if variant == 1 else images // 2


class Recorder(Loss):
    """The mean square of what it reads; keeps it all."""

    made: ClassVar[list["Recorder"]] = []

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Tensor, Views, float]] = []
        self.made.append(self)

    def setup(self, dims: LossDims) -> None:
        self.dims = dims

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        value = embeddings.square().mean()
        self.calls.append((embeddings, views, value.item()))
        return value


class FeatureRecorder(Recorder):
    reads = "features"


class ShiftClassifier(Recorder):
    """A toy loss with parameters: a linear classifier of the shift."""

    reads = "features"

    def setup(self, dims: LossDims) -> None:
        super().setup(dims)
        self.layer = nn.Linear(dims.embedding, dims.shifts)

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        super().forward(embeddings, views)
        return nn.functional.cross_entropy(self.layer(embeddings), views.shift)


@pytest.fixture(autouse=True)
def _afresh() -> None:
    torch.manual_seed(0)
    Recorder.made.clear()


def batch(images: int = 5, labels: list[int] | None = None) -> Batch:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (images, 3, 8, 8), generator=generator, dtype=torch.uint8)
    label = torch.tensor(labels or [-1] * images)
    return Batch(pixels, label, RandomKeys.from_index(0, torch.arange(images)))


Term = tuple[type[Loss], Sequence[int] | None, float | Sequence[float]]


def method(
    *terms: Term,
    backbone: Backbone | None = None,
    shifts: Sequence[Shift] | None = None,
    schedule: Schedule | None = None,
    classes: int = 1,
    **options: Any,
) -> Contrastive:
    made = Contrastive(projection=7, **options)
    shifts = [Rotation()] if shifts is None else shifts
    schedule = schedule or Hierarchical(AsFloat())
    objective = [LossTerm(*term, name=term[0].__name__.lower()) for term in terms]
    made.setup(MethodParts(backbone or Chain(), shifts, schedule, objective, classes))
    return made


def one(contrastive: Contrastive, images: Batch | None = None) -> Update:
    (update,) = contrastive.step(images or batch(), 0.0)
    return update


# --- what the losses see --------------------------------------------------------------------------


@pytest.mark.parametrize("images", [1, 5, 8])
def test_rotation_gives_three_virtual_outliers_an_inlier(images: int) -> None:
    one(method((Recorder, None, 1.0)), batch(images))
    assert len(Recorder.made) == 4
    for recorder in Recorder.made:
        ((_, views, _),) = recorder.calls
        assert len(views) == 2 * 4 * images
        assert views.inlier.sum() == 2 * images


def test_every_image_comes_twice_under_every_shift_with_its_label() -> None:
    labels = [2, 0, 0, 1, 2]
    one(method((Recorder, [4], 1.0), shifts=[Rotation(), Invert()]), batch(5, labels))
    ((_, views, _),) = Recorder.made[0].calls
    rows = list(zip(views.source.tolist(), views.shift.tolist(), strict=True))
    assert sorted(rows) == sorted([(i, s) for i in range(5) for s in range(6)] * 2)
    assert views.label.tolist() == [labels[source] for source, _ in rows]
    assert views.inlier.tolist() == [shift == 0 for _, shift in rows]


def test_views_say_truly_which_shift_made_which_image() -> None:
    images, rotation, invert = batch(), Rotation(), Invert()
    one(method((Recorder, [4], 1.0), shifts=[rotation, invert]), images)
    ((_, views, _),) = Recorder.made[0].calls
    made = [
        lambda x: x,
        *(lambda x, v=v: rotation(x, v) for v in (1, 2, 3)),
        *(lambda x, v=v: invert(x, v) for v in (1, 2)),
    ]
    for row in range(len(views)):
        pixels = images.pixels[views.source[row]][None]
        assert torch.equal(views.images[row], made[views.shift[row]](pixels)[0] / 255)


def test_embeddings_and_views_are_row_by_row_of_the_same_images() -> None:
    backbone = Chain()
    contrastive = method((FeatureRecorder, [2], 1.0), backbone=backbone)
    one(contrastive)
    ((embeddings, views, _),) = Recorder.made[0].calls
    with torch.no_grad():
        expected = backbone(views.images)[1].mean((2, 3))
    torch.testing.assert_close(embeddings, expected)


def test_without_shifts_every_row_is_an_inlier() -> None:
    one(method((Recorder, [4], 1.0), shifts=[]))
    ((_, views, _),) = Recorder.made[0].calls
    assert len(views) == 10
    assert views.inlier.all()
    assert not views.shift.any()


def test_all_views_of_a_batch_are_augmented_differently() -> None:
    same = Batch(torch.full((5, 3, 8, 8), 200, dtype=torch.uint8), batch().label, batch().keys)
    one(method((Recorder, None, 1.0), schedule=Hierarchical(Noise())), same)
    seen = torch.cat([recorder.calls[0][1].images for recorder in Recorder.made])
    assert len(seen) == 4 * 2 * 4 * 5
    assert len(seen.flatten(1).unique(dim=0)) == len(seen)


def test_an_images_views_do_not_depend_on_its_batch() -> None:
    contrastive, whole = method((Recorder, [3], 1.0), schedule=Hierarchical(Noise())), batch(6)
    rows = torch.tensor([4, 1])
    one(contrastive, whole)
    one(
        contrastive,
        Batch(whole.pixels[rows], whole.label[rows], RandomKeys(whole.keys.values[rows])),
    )
    (_, full, _), (_, part, _) = Recorder.made[0].calls
    for place, row in enumerate(rows):
        torch.testing.assert_close(
            part.images[part.source == place], full.images[full.source == row], atol=0, rtol=0
        )


# --- stages ---------------------------------------------------------------------------------------


def test_view_set_i_is_augmented_for_stage_i_and_goes_no_deeper() -> None:
    backbone, augmentation = Chain(), AsFloat()
    schedule = Hierarchical(augmentation, [0.1, 0.2, 0.3, 0.4])
    one(method((Recorder, None, 1.0), backbone=backbone, schedule=schedule))
    assert augmentation.called == [(0.1, 40), (0.2, 40), (0.3, 40), (0.4, 40)]
    assert [depth for _, depth in backbone.asked] == [1, 2, 3, 4]
    for (images, _), recorder in zip(backbone.asked, Recorder.made, strict=True):
        assert torch.equal(images, recorder.calls[0][1].images)


def test_a_resnets_deep_stages_run_for_the_deep_view_sets_alone() -> None:
    net, fired = ResNet18(width=0.0625), []
    for level in range(1, 5):
        stage = getattr(net, f"layer{level}")
        stage.register_forward_hook(lambda *_, level=level: fired.append(level))
    one(method((Recorder, None, 1.0), backbone=net))
    assert [fired.count(level) for level in range(1, 5)] == [4, 3, 2, 1]


def test_a_stage_without_a_term_is_not_computed() -> None:
    backbone, augmentation = Chain(), AsFloat()
    schedule = Hierarchical(augmentation)
    one(method((Recorder, [2], 1.0), backbone=backbone, schedule=schedule))
    assert [depth for _, depth in backbone.asked] == [2]
    assert augmentation.called == [(0.5, 40)]


def test_a_uniform_schedule_trains_the_last_stage() -> None:
    backbone = Chain()
    one(method((Recorder, None, 1.0), backbone=backbone, schedule=Uniform(AsFloat())))
    assert [depth for _, depth in backbone.asked] == [4]
    assert Recorder.made[0].calls[0][0].shape == (40, 7)


# --- the objective --------------------------------------------------------------------------------


def test_the_loss_is_eq_9_the_weighted_mean_over_stages() -> None:
    update = one(method((Recorder, None, [1.0, 0.5, 2.0, 0.25])))
    values = [recorder.calls[0][2] for recorder in Recorder.made]
    expected = sum(w * v for w, v in zip([1.0, 0.5, 2.0, 0.25], values, strict=True)) / 4
    assert len(set(values)) == 4
    assert update.loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("divisor", "count"), [("network", 4), ("trained", 2)])
def test_of_fewer_stages_eq_9_still_divides_by_all_unless_told_otherwise(divisor, count) -> None:
    trainer = method(
        (Recorder, [3], 1.0),
        (Recorder, [4], 3.0),
        schedule=Hierarchical(AsFloat(), stages=[2, 3, 4]),
        divisor=divisor,
    )
    loss = one(trainer).loss.item()
    third, fourth = (recorder.calls[0][2] for recorder in Recorder.made)
    assert loss == pytest.approx((third + 3 * fourth) / count, rel=1e-6)


def test_by_default_the_loss_of_one_stage_is_not_divided() -> None:
    loss = one(method((Recorder, None, 1.0), schedule=Uniform(AsFloat()))).loss.item()
    assert loss == pytest.approx(Recorder.made[0].calls[0][2], rel=1e-6)


def test_terms_add_up_each_with_its_weight_at_its_stages() -> None:
    terms: list[Term] = [
        (Recorder, [2, 3], 0.5),
        (FeatureRecorder, [4], 3.0),
        (Recorder, [3, 4], [4.0, 5.0]),
    ]
    update = one(method(*terms, schedule=Hierarchical(AsFloat(), stages=[2, 3, 4])))
    values = [recorder.calls[0][2] for recorder in Recorder.made]
    weights = [0.5, 0.5, 3.0, 4.0, 5.0]
    expected = sum(w * v for w, v in zip(weights, values, strict=True)) / 3
    assert update.loss.item() == pytest.approx(expected, rel=1e-6)


def test_of_uniclr_is_eq_9_recomputed_outside() -> None:
    class Kept(UniCLR, Recorder):
        def forward(self, embeddings: Tensor, views: Views) -> Tensor:
            Recorder.forward(self, embeddings.detach(), views)
            return UniCLR.forward(self, embeddings, views)

    update = one(method((Kept, [1, 2, 3], 1.0), (Kept, [4], 2.0)))
    calls = [recorder.calls[0] for recorder in Recorder.made]
    values = [UniCLR()(embeddings, views).item() for embeddings, views, _ in calls]
    assert update.loss.item() == pytest.approx(
        (values[0] + values[1] + values[2] + 2 * values[3]) / 4, rel=1e-6
    )
    assert math.isfinite(update.loss.item())


def test_metrics_tell_each_terms_value_before_its_weight_and_the_whole() -> None:
    update = one(method((Recorder, [2], 3.0), (FeatureRecorder, [4], 0.5)))
    first, second = (recorder.calls[0][2] for recorder in Recorder.made)
    metrics = {name: value.item() for name, value in update.metrics.items()}
    assert metrics == pytest.approx(
        {"recorder_2": first, "featurerecorder_4": second, "loss": (3 * first + second / 2) / 2}
    )
    assert not any(value.requires_grad for value in update.metrics.values())


def test_a_loss_learns_its_dimensions_at_its_stage() -> None:
    method(
        (FeatureRecorder, [1, 3], 1.0),
        (Recorder, [4], 1.0),
        shifts=[Rotation([180]), Invert()],
        classes=9,
    )
    assert [recorder.dims for recorder in Recorder.made] == [
        LossDims(embedding=3, shifts=4, classes=9),
        LossDims(embedding=5, shifts=4, classes=9),
        LossDims(embedding=7, shifts=4, classes=9),
    ]


def test_parameters_a_loss_makes_in_setup_are_trained_each_stages_its_own() -> None:
    contrastive = method((ShiftClassifier, [3, 4], 1.0))
    (group,) = contrastive.groups().values()
    names = {id(parameter) for parameter in group}
    for recorder, width in zip(Recorder.made, WIDTHS[2:], strict=True):
        assert recorder.layer.weight.shape == (4, width)
        assert {id(p) for p in recorder.parameters()} <= names
    one(contrastive).loss.backward()
    for recorder in Recorder.made:
        assert recorder.layer.weight.grad.any()


def test_training_on_a_losss_own_parameters_lowers_it() -> None:
    contrastive = method((ShiftClassifier, [4], 1.0))
    optimizer = torch.optim.SGD(contrastive.groups()["main"], lr=0.5)
    losses = []
    for _ in range(15):
        update = one(contrastive)
        optimizer.zero_grad()
        update.loss.backward()
        optimizer.step()
        losses.append(update.loss.item())
    assert losses[-1] < losses[0] - 0.01


def test_the_one_group_holds_every_parameter_once() -> None:
    contrastive = method((Recorder, None, 1.0), (ShiftClassifier, [4], 1.0))
    groups = contrastive.groups()
    assert list(groups) == ["main"]
    assert len({id(p) for p in groups["main"]}) == len(groups["main"])
    parts = [contrastive.backbone, contrastive.heads, *Recorder.made]
    assert {id(p) for p in groups["main"]} == {id(p) for part in parts for p in part.parameters()}


def test_only_stages_whose_projection_is_read_have_a_head() -> None:
    contrastive = method((Recorder, [1, 4], 1.0), (Recorder, [4], 1.0), (FeatureRecorder, [3], 1.0))
    assert set(contrastive.heads) == {"1", "4"}


def test_the_hidden_width_is_the_last_stages_unless_given() -> None:
    assert method((Recorder, [1], 1.0)).heads["1"].project[0].out_features == WIDTHS[-1]
    given = Contrastive(projection=7, hidden=11)
    given.setup(
        MethodParts(Chain(), [], Uniform(AsFloat()), [LossTerm(Recorder, None, 1.0, "recorder")], 1)
    )
    assert given.heads["4"].project[0].out_features == 11


# --- the trained network --------------------------------------------------------------------------


def test_embed_is_the_pooled_map_of_the_last_stage() -> None:
    contrastive = method((Recorder, None, 1.0))
    images = torch.rand(3, 3, 8, 8)
    out = contrastive.embed(images)
    assert set(out) == set(contrastive.outputs()) == {"features", "projection"}
    expected = contrastive.backbone(images)[-1].flatten(2).mean(2)
    torch.testing.assert_close(out["features"], expected)


def test_embed_goes_through_no_head() -> None:
    contrastive = method((Recorder, None, 1.0))
    images = torch.rand(3, 3, 8, 8)
    expected = contrastive.embed(images)["features"]
    for head in contrastive.heads.values():
        for parameter in head.parameters():
            nn.init.constant_(parameter, math.nan)
    assert torch.equal(contrastive.embed(images)["features"], expected)
    assert not one(contrastive).loss.isfinite()  # the same heads do reach the loss


# --- what is refused ------------------------------------------------------------------------------


def test_a_term_for_a_stage_that_is_not_trained_is_refused() -> None:
    with pytest.raises(ValueError, match="stage 3, but the schedule trains 2, 4"):
        method((Recorder, [3], 1.0), schedule=Hierarchical(AsFloat(), stages=[2, 4]))
    with pytest.raises(ValueError, match="stage 5"):
        method((Recorder, [4, 5], 1.0))


@pytest.mark.parametrize("stages", [None, [1, 2]])
def test_a_wrong_number_of_weights_is_refused(stages: list | None) -> None:
    with pytest.raises(ValueError, match="3 weights for stages 1, 2"):
        method((Recorder, stages, [1.0, 1.0, 1.0]))


@pytest.mark.parametrize("terms", [[], [(Recorder, [], 1.0)]])
def test_an_objective_that_trains_nothing_is_refused(terms: list[Term]) -> None:
    with pytest.raises(ValueError, match="objective"):
        method(*terms)


def test_a_schedule_that_does_not_fit_the_backbone_is_refused() -> None:
    with pytest.raises(ValueError, match="3 strengths for 4 stages"):
        method((Recorder, None, 1.0), schedule=Hierarchical(AsFloat(), [0.1, 0.2, 0.3]))


# --- stages that change in the course of a run --------------------------------------------------


def last_then_all() -> Schedule:
    return Phases([Uniform(AsFloat()), Hierarchical(AsFloat(), stages=[2, 3, 4])], until=[0.5])


def test_the_loss_is_the_mean_over_the_stages_trained_at_the_time() -> None:
    made = method((Recorder, None, 1.0), schedule=last_then_all())
    assert list(made.terms) == ["2", "3", "4"]
    for progress, stages in {0.0: [4], 0.49: [4], 0.5: [2, 3, 4], 1.0: [2, 3, 4]}.items():
        for recorder in Recorder.made:
            recorder.calls.clear()
        (update,) = made.step(batch(), progress)
        values = [recorder.calls[0][2] for recorder in Recorder.made if recorder.calls]
        assert len(values) == len(stages)
        assert update.loss.item() == pytest.approx(sum(values) / len(stages), rel=1e-6)
        assert set(update.metrics) == {"loss", *(f"recorder_{stage}" for stage in stages)}


NO_TERM = "the schedule trains only stages 4, for which the objective has no term"


def test_an_objective_that_trains_nothing_for_a_while_is_refused() -> None:
    with pytest.raises(ValueError, match=NO_TERM):
        method((Recorder, [2, 3], 1.0), schedule=last_then_all())


def shortly(at: float = 0.0005) -> Schedule:
    """Stages 2 to 4, and for a thousandth of the run stage 4 only."""
    all_three = Hierarchical(AsFloat(), stages=[2, 3, 4])
    return Phases([all_three, Uniform(AsFloat()), all_three], until=[at, at + 0.001])


@pytest.mark.parametrize("at", [0.0005, 0.5004, 0.9985])
def test_a_phase_of_a_thousandth_of_the_run_is_trained_or_refused(at: float) -> None:
    made = method((Recorder, None, 1.0), schedule=shortly(at))
    (update,) = made.step(batch(), at + 0.0005)
    assert set(update.metrics) == {"loss", "recorder_4"}
    with pytest.raises(ValueError, match=NO_TERM):
        method((Recorder, [2, 3], 1.0), schedule=shortly(at))


class Undeclared(Schedule):
    """Of a third party: it inherits ``levels``, and trains stage 4 only, at a moment of the run."""

    def stages(self, levels: int, progress: float) -> list[Stage]:
        return shortly(0.5004).stages(levels, progress)


def test_a_moment_that_a_schedule_does_not_declare_ends_the_run_in_one_line() -> None:
    made = method((Recorder, [2, 3], 1.0), schedule=Undeclared())
    with pytest.raises(UserError, match=r"trains no stage at 50\.0900% of the run"):
        next(made.step(batch(), 0.5009))


# --- exposed outliers, early views, predictions ---------------------------------------------------


def exposing(images: int = 5, others: int = 2) -> Batch:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (others, 3, 8, 8), generator=generator, dtype=torch.uint8)
    made = batch(images, [1] * images)
    keys = RandomKeys.from_index(1, torch.arange(others))
    made.exposed = Batch(pixels, torch.zeros(others, dtype=torch.int64), keys)
    return made


def test_exposed_outliers_join_unshifted_unlabelled_each_its_own_source() -> None:
    images = exposing()
    one(method((Recorder, [4], 1.0)), images)
    ((_, views, _),) = Recorder.made[0].calls
    exposed = views.source >= 5
    assert len(views) == 2 * (4 * 5 + 2)
    assert sorted(views.source[exposed].tolist()) == [5, 5, 6, 6]
    assert not views.inlier[exposed].any()
    assert not views.shift[exposed].any()
    assert views.label[exposed].tolist() == [-1] * 4
    assert views.inlier.sum() == 2 * 5
    for row in torch.nonzero(exposed).flatten():
        pixels = images.exposed.pixels[views.source[row] - 5] / 255
        assert torch.equal(views.images[row], pixels)


def test_exposed_outliers_do_not_change_the_inliers_views() -> None:
    contrastive = method((Recorder, [4], 1.0), schedule=Hierarchical(Noise()))
    one(contrastive, exposing(others=1))
    one(contrastive, exposing(others=3))
    (_, few, _), (_, many, _) = Recorder.made[0].calls
    assert torch.equal(few.images[few.source < 5], many.images[many.source < 5])


def test_the_view_of_each_row_is_counted() -> None:
    one(method((Recorder, [4], 1.0)))
    ((_, views, _),) = Recorder.made[0].calls
    rows = set(zip(views.source.tolist(), views.shift.tolist(), views.view.tolist(), strict=True))
    assert len(rows) == len(views)
    assert set(views.view.tolist()) == {0, 1}


def test_an_early_view_is_shared_by_its_shifts_and_by_no_other_view() -> None:
    contrastive = Contrastive(projection=7, views=3, pre_shift=Noise())
    objective = [LossTerm(Recorder, [4], 1.0, "recorder")]
    contrastive.setup(MethodParts(Chain(), [Rotation()], Hierarchical(AsFloat()), objective, 1))
    one(contrastive)
    ((_, views, _),) = Recorder.made[0].calls
    assert len(views) == 3 * 4 * 5
    rotation, plain = Rotation(), views.shift == 0
    assert len(views.images[plain].flatten(1).unique(dim=0)) == 3 * 5
    for row in range(len(views)):
        same = plain & (views.source == views.source[row]) & (views.view == views.view[row])
        expected = rotation(views.images[same], int(views.shift[row]))[0]
        assert torch.equal(views.images[row], expected)


def test_independent_shifts_are_drawn_one_by_one() -> None:
    contrastive = Contrastive(projection=7, views=2, pre_shift=Noise(), independent=True)
    objective = [LossTerm(Recorder, [4], 1.0, "recorder")]
    contrastive.setup(MethodParts(Chain(), [Rotation()], Hierarchical(AsFloat()), objective, 1))
    one(contrastive, exposing(others=2))
    ((_, views, _),) = Recorder.made[0].calls
    assert len(views) == 2 * (4 * 5 + 2)
    shown, rotation = views.shown(), Rotation()
    back = [
        rotation(image[None], (4 - int(shift)) % 4)[0]
        for image, shift in zip(views.images[shown], views.shift[shown], strict=True)
    ]
    upright = torch.stack(back)
    assert len(upright.flatten(1).unique(dim=0)) == 2 * 4 * 5
    white = Batch(torch.full((5, 3, 8, 8), 255, dtype=torch.uint8), batch().label, batch().keys)
    one(contrastive, white)
    images = Recorder.made[0].calls[-1][1].images
    assert len(images.flatten(1).sort().values.unique(dim=0)) == 2 * 4 * 5


class Classifier(Loss):
    reads = "features"
    outputs = ("shift_logits",)

    def setup(self, dims: LossDims) -> None:
        self.layer = nn.Linear(dims.embedding, dims.shifts)

    def forward(self, embeddings: Tensor, views: Views) -> Tensor:
        return self.layer(embeddings).sum()

    def predict(self, embeddings: Tensor) -> dict[str, Tensor]:
        return {"shift_logits": self.layer(embeddings)}


def test_what_a_loss_of_the_last_stage_predicts_is_an_output() -> None:
    contrastive = method((Recorder, None, 1.0), (Classifier, [4], 1.0))
    images = torch.rand(3, 3, 8, 8)
    out = contrastive.embed(images)
    assert contrastive.outputs() == tuple(out) == ("features", "projection", "shift_logits")
    expected = contrastive.terms["4"][1].layer(out["features"])
    assert torch.equal(out["shift_logits"], expected)


def test_what_is_predicted_at_an_earlier_stage_is_not() -> None:
    assert method((Recorder, None, 1.0), (Classifier, [3], 1.0)).outputs() == (
        "features",
        "projection",
    )


def test_a_deep_head_has_normalised_hidden_layers() -> None:
    deep = Contrastive(projection=7, hidden=6, depth=3)
    deep.setup(
        MethodParts(Chain(), [], Uniform(AsFloat()), [LossTerm(Recorder, None, 1.0, "recorder")], 1)
    )
    kinds = [type(layer).__name__ for layer in deep.heads["4"].project]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU"] * 3 + ["Linear"]


@pytest.mark.parametrize("bias", [True, False])
def test_the_last_layer_of_a_head_may_have_no_bias(bias: bool) -> None:
    made = Contrastive(projection=7, projection_bias=bias)
    term = LossTerm(Recorder, None, 1.0, "recorder")
    made.setup(MethodParts(Chain(), [], Uniform(AsFloat()), [term], 1))
    assert (made.heads["4"].project[-1].bias is not None) == bias


def test_losses_see_the_progress_of_the_run() -> None:
    made = method((Recorder, None, 1.0))
    loss = Recorder.made[-1]
    for progress in (0.0, 0.75):
        list(made.step(batch(2), progress))
    seen = [views for _, views, _ in loss.calls]
    assert [views.progress for views in seen] == [0.0, 0.75]
    assert seen[1][torch.tensor([0])].repeat(2).progress == 0.75
