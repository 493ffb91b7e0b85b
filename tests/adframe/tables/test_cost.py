"""View passes against numbers computed in the test."""

import pytest

from adframe.tables.cost import Costs, per_image, seen_images

WIDTHS, SIZE = [4, 8, 16, 32], 16  # of the toy config: a sixteenth of ResNet-18


def _multiply_adds(depth):
    """Of ResNet-18's convolutions, counted from its description: 3x3 stem, two blocks a stage."""
    side, before = SIZE, WIDTHS[0]
    total = 9 * 3 * before * side**2
    for stage in range(depth):
        width = WIDTHS[stage]
        if stage:
            side //= 2
            total += before * width * side**2  # the shortcut
        total += 9 * before * width * side**2 + 3 * 9 * width * width * side**2
        before = width
    return total


SHARE = {depth: _multiply_adds(depth) / _multiply_adds(4) for depth in (1, 2, 3, 4)}


def test_stages_cost_their_share(toy):
    assert 0.2 < SHARE[1] < SHARE[2] < SHARE[3] < 1  # about 0.27, 0.51, 0.76 at 32 pixels
    views, variants = 2, 4
    trained = SHARE[2] + SHARE[3] + SHARE[4]
    assert per_image(toy(), SIZE) == pytest.approx(views * variants * trained)
    some = toy("schedule.stages=[2, 4]", "schedule.strengths=null", "objective=[{loss: uniclr}]")
    assert per_image(some, SIZE) == pytest.approx(views * variants * (SHARE[2] + 1))


def test_one_stage_costs_views_by_variants(toy):
    alone = ["schedule={name: uniform, augmentation: simclr}", "objective=[{loss: uniclr}]"]
    assert per_image(toy(*alone), SIZE) == 2 * 4
    assert per_image(toy(*alone, "shifts=[gaussian_blur]"), SIZE) == 2 * 2
    assert per_image(toy(*alone, "shifts=[]", "method.views=3"), SIZE) == 3


def test_phases_count_for_as_long_as_they_last_and_small_views_for_their_share(toy):
    one = "{name: uniform, augmentation: simclr}"
    small = f"{{name: downsized, size: {SIZE // 2}, of: {one}}}"
    phases = f"schedule={{name: phases, of: [{small}, {one}], until: [0.8]}}"
    config = toy(phases, "objective=[{loss: uniclr}]")
    assert per_image(config, SIZE) == pytest.approx(2 * 4 * (0.8 / 4 + 0.2))


def test_exposed_outliers_are_counted_unshifted(toy, shapes):
    alone = ["schedule={name: uniform, augmentation: simclr}", "objective=[{loss: uniclr}]"]
    beside = f"exposure={{dataset: {{name: image_folder, root: {shapes}}}, ratio: 0.5}}"
    assert per_image(toy(*alone, beside), SIZE) == 2 * (4 + 0.5)


def test_whole_batches_are_trained_on(toy):
    config = toy("train={epochs: 3, batch_size: 4}")
    assert seen_images(config, 10) == 3 * 8
    assert seen_images(config, 3) == 3 * 3  # a batch is no larger than the data
    kept = toy("train={epochs: 3, batch_size: 4, drop_last: false}")
    assert [seen_images(kept, images) for images in (10, 9, 8, 3)] == [30, 24, 24, 9]
    passes = Costs().passes(config, 10, SIZE)
    assert passes == pytest.approx(3 * 8 * 2 * 4 * (SHARE[2] + SHARE[3] + SHARE[4]))


def test_the_count_is_what_training_does(toy, monkeypatch):
    """The images that pass through each stage of the network in a real run."""
    import adframe
    from adframe.interfaces import Backbone

    seen = []
    config = toy("train={epochs: 2, batch_size: 4, device: cpu}")
    original = type(adframe.build("backbone", config.backbone.dump())).forward

    def forward(self: Backbone, images, depth=None):
        if self.training:
            seen.append((len(images), depth))
        return original(self, images, depth)

    monkeypatch.setattr(type(config.backbone.build()), "forward", forward)
    adframe.run(config)
    counted = sum(views * SHARE[depth] for views, depth in seen)
    monkeypatch.undo()
    assert Costs().passes(config, 8, SIZE) == pytest.approx(counted)


def test_configs_that_differ_in_data_are_counted_once(toy, monkeypatch):
    from adframe.tables import cost

    calls = []
    monkeypatch.setattr(cost, "per_image", lambda config, size: calls.append(size) or 1.0)
    costs = Costs()
    for settings in (["seed=1"], ["dataset.normal=right"], ["train.epochs=9"]):
        costs.passes(toy(*settings), 8, SIZE)
    assert calls == [SIZE]
    costs.passes(toy("shifts=[]"), 8, SIZE)
    assert calls == [SIZE, SIZE]
