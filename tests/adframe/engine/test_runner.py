"""A run from config to folder, at toy size."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

import adframe
from adframe.cli.main import main
from adframe.config.model import load_config
from adframe.engine import metrics, train
from adframe.engine.runner import prepare
from adframe.errors import ConfigError, TrainingError, UserError
from adframe.interfaces import Dataset, Splits


def test_a_run_leaves_a_whole_folder(toy, tmp_path):
    report = adframe.run(toy(), tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "model.safetensors",
        "result.json",
        "scores.csv",
        "state.json",
        "state.safetensors",
        "training.csv",
    }
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["auroc"] == report.auroc
    assert result["mean_auroc"] == report.mean_auroc
    assert set(result["floor"]) == {"cosine", "l2"}
    assert result["epochs"] == 2
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def test_auroc_is_that_of_the_written_scores(toy, tmp_path):
    report = adframe.run(toy(), tmp_path / "run")
    with (tmp_path / "run/scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    truth = [int(row["label"]) for row in rows]
    assert sum(truth) == 16  # all of the two classes that are not normal
    assert len(truth) == 16 + 4  # and 30 % of the twelve normal images
    scores = [float(row["score"]) for row in rows]
    assert roc_auc_score(truth, scores) == pytest.approx(report.mean_auroc, abs=1e-12)


def test_the_pixel_floor_is_the_nearest_training_image(toy, tmp_path):
    config = toy()
    data = config.dataset.build().load(config.seed)
    train = data.train.pixels.flatten(1).double().numpy()
    test = data.test.pixels.flatten(1).double().numpy()
    distance = [min(np.linalg.norm(row - other) for other in train) for row in test]
    report = adframe.run(config)
    expected = roc_auc_score(data.test.outlier.numpy(), distance)
    assert report.floor["l2"].mean == pytest.approx(expected, abs=1e-9)
    correlation = [max(np.corrcoef(row, other)[0, 1] for other in train) for row in test]
    expected = roc_auc_score(data.test.outlier.numpy(), -np.array(correlation))
    assert report.floor["cosine"].mean == pytest.approx(expected, abs=1e-9)


def test_the_pixel_floor_is_the_same_in_blocks_of_any_size(toy, monkeypatch):
    run = prepare(toy(), None)
    whole = metrics.pixel_floor(run.data.train, run.test_sets)
    image = 4 * 3 * 16 * 16
    for columns, floats in ((3, 1 << 30), (4096, 5 * image), (4096, 1)):
        monkeypatch.setattr(metrics, "COLUMNS", columns)
        monkeypatch.setattr(metrics, "MAX_FLOAT_BYTES", floats)
        blocks = metrics.pixel_floor(run.data.train, run.test_sets)
        for measure, outcome in whole.items():
            assert blocks[measure].auroc == outcome.auroc
            for part, scores in outcome.scores.items():
                torch.testing.assert_close(blocks[measure].scores[part], scores, atol=1e-6, rtol=0)


def test_same_config_and_seed_give_the_same_run(toy, tmp_path):
    first = adframe.run(toy(), tmp_path / "a")
    second = adframe.run(toy(), tmp_path / "b")
    other = adframe.run(toy("seed=1"), tmp_path / "c")
    a, b, c = (load_file(tmp_path / name / "model.safetensors") for name in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert first.auroc == second.auroc
    assert not torch.equal(a["method/backbone.conv1.weight"], c["method/backbone.conv1.weight"])
    assert other.epochs == 2


def test_the_resolved_config_runs_again_as_it_is(toy, tmp_path):
    adframe.run(toy(), tmp_path / "a")
    adframe.run(load_config(tmp_path / "a/config.yaml"), tmp_path / "b")
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_a_taken_folder_is_refused_and_left_alone(toy, tmp_path):
    adframe.run(toy(), tmp_path / "run")
    before = (tmp_path / "run/result.json").read_bytes()
    with pytest.raises(UserError, match="holds a run already"):
        adframe.run(toy(), tmp_path / "run")
    with pytest.raises(UserError, match=r"another config: seed: 0 -> 3; train.epochs: 2 -> 5$"):
        adframe.run(toy("seed=3", "train.epochs=5"), tmp_path / "run", resume=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="not empty"):
        adframe.run(toy(), tmp_path / "other")
    assert (tmp_path / "run/result.json").read_bytes() == before


def test_a_loss_that_is_not_finite_stops_the_run(toy, tmp_path):
    with pytest.raises(TrainingError, match=r"epoch 1, step \d+: .* is not finite; try"):
        adframe.run(toy("optimizer.lr=1e30"), tmp_path / "run")
    assert not (tmp_path / "run/result.json").exists()


def test_bad_data_is_located_in_the_config_and_nothing_is_written(toy, toy_file, tmp_path):
    with pytest.raises(ConfigError) as caught:
        adframe.run(toy("dataset.normal=lft"), tmp_path / "run")
    assert "dataset: normal: no class 'lft'" in str(caught.value)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="dataset: .*no such folder"):
        adframe.run(toy("dataset.root=/nowhere"), tmp_path / "run")


def test_images_that_a_shift_cannot_take_are_refused_and_nothing_is_written(toy, tmp_path):
    message = r"^shift 'rotation' of plugin 'shifts': needs square images, not \(8, 16\) pixels$"
    with pytest.raises(UserError, match=message):
        adframe.run(toy("dataset.size=[8, 16]", "shifts=[rotation]"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_shifts_see_square_windows_of_images_that_are_not_square(toy, toy_file, tmp_path, capsys):
    patches = "method={name: patches, size: 8, of: contrastive}"
    words = ["dataset.size=[8, 16]", "shifts=[rotation]", patches]
    report = adframe.run(toy(*words, "scorer=nearest_cosine"), tmp_path / "run")
    assert report.mean_auroc >= 0
    words += ["objective=[{loss: shift_classification}]", "scorer=true_shift"]  # of whole images
    settings = [word for each in words for word in ("--set", each)]
    assert main(["check", str(toy_file), *settings]) == 2
    assert "needs square images, not (8, 16) pixels" in capsys.readouterr().err


def test_check_knows_the_size_of_the_images(toy_file, tmp_path, capsys):
    words = ["--set", "shifts=[rotation]", "--set"]
    assert main(["check", str(toy_file), *words, "dataset.size=8"]) == 0
    assert main(["check", str(toy_file), *words, "dataset.size=[8, 16]"]) == 2
    assert "needs square images, not (8, 16) pixels" in capsys.readouterr().err


def test_outliers_may_come_from_other_data_sets(toy, shapes, tmp_path):
    others = f"[{{name: image_folder, root: {shapes}, normal: dark, test_share: 0.5}}]"
    report = adframe.run(toy(f"outliers={others}"), tmp_path / "run")
    assert set(report.auroc) == {"image_folder", shapes.name}
    assert report.mean_auroc == pytest.approx(np.mean(list(report.auroc.values())))
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert set(result["classes"][shapes.name]) == {"dark", "left", "right"}
    with pytest.raises(ConfigError, match=r"outliers.0: images of \(24, 24\) pixels"):
        adframe.run(toy(f"outliers={others}", "outliers.0.size=24"))


def test_an_outlier_set_gives_its_whole_test_split_whatever_it_calls_normal(toy, shapes):
    for normal in ("null", "dark"):
        other = f"[{{name: image_folder, root: {shapes}, normal: {normal}}}]"
        parts = prepare(toy(f"outliers={other}"), None).test_sets
        assert [len(images) for images in parts.values()] == [4, 16, 28]


def test_a_data_set_that_does_not_say_gives_its_test_split_as_outliers():
    class Plain(Dataset):
        def load(self, seed):
            return Splits(train=None, test=f"test images of {seed}")

    assert Plain().outliers(3) == "test images of 3"


def test_several_scorers_are_reported_side_by_side(toy, tmp_path):
    report = adframe.run(toy("scorer=[nearest_cosine, nearest_cosine]"), tmp_path / "run")
    first, second = report.outcomes.values()
    assert first.auroc == second.auroc
    header = (tmp_path / "run/scores.csv").read_text().splitlines()[0]
    assert header == "path,label,score,set,score_nearest_cosine_1"


def test_scorers_that_share_a_look_score_as_each_does_alone(toy):
    names = ["knn", "kde", "nearest_cosine", "mahalanobis", "gaussian_density"]
    together = adframe.run(toy(f"scorer=[{', '.join(names)}]"))
    assert list(together.outcomes) == names
    for name in names:
        (alone,) = adframe.run(toy(f"scorer=[{name}]")).outcomes.values()
        for part, scores in alone.scores.items():
            assert torch.equal(together.outcomes[name].scores[part], scores)


def _seen(config):
    """What the one-file plugin of a test noted."""
    return next(p.seen for p in config.loaded.manager.get_plugins() if hasattr(p, "seen"))


def test_hooks_see_every_update_and_epoch(toy, tmp_path):
    plugin = tmp_path / "watch.py"
    plugin.write_text(
        """
from adframe import hookimpl
seen = []

class MetricAccumulator:
    @hookimpl
    def adframe_update(self, run, group, metrics):
        seen.append((group, run.step, sorted(metrics)))
    @hookimpl
    def adframe_epoch_end(self, epoch):
        seen.append(epoch)
    @hookimpl
    def adframe_run_end(self, run, report):
        seen.append(report.epochs)

@hookimpl
def adframe_run_start(run):
    run.attach(MetricAccumulator())
""",
        encoding="utf-8",
    )
    config = toy("train.epochs=1", plugins=[plugin])
    adframe.run(config)
    seen = _seen(config)
    names = ["loss", "uniclr_2", "uniclr_3", "uniclr_4"]
    assert seen == [("main", 0, names), ("main", 1, names), 1, 1]
    adframe.run(config)  # what was attached to the first run is gone
    assert len(seen) == 8


def test_labelled_classes_reach_the_loss(toy, tmp_path):
    plugin = tmp_path / "labels.py"
    plugin.write_text(
        """
import torch
from adframe import hookimpl
from adframe.interfaces import Loss
seen = []

class Peek(Loss):
    '''Looks at labels.'''
    reads = "features"
    def setup(self, dims):
        seen.append(dims)
        self.linear = torch.nn.Linear(dims.embedding, dims.classes)
    def forward(self, embeddings, views):
        seen.append(set(views.label.tolist()))
        return self.linear(embeddings).square().mean()

@hookimpl
def adframe_register(add):
    add("loss", "peek", Peek)
""",
        encoding="utf-8",
    )
    config = toy(
        "dataset.normal=[left, right]", "dataset.labelled=true", "objective=[{loss: peek}]",
        "schedule=uniform", "train.epochs=1", "train.batch_size=12", plugins=[plugin],
    )  # fmt: skip
    adframe.run(config, tmp_path / "run")
    dims, labels = _seen(config)[-2:]
    assert (dims.classes, dims.shifts) == (2, 4)
    assert labels == {0, 1}


def test_evaluate_folder_finds_what_the_run_found(toy, tmp_path):
    from adframe.engine.runner import evaluate_folder

    adframe.run(toy(), tmp_path / "run")
    files = ["result.json", "scores.csv", "model.safetensors"]
    before = {name: (tmp_path / "run" / name).read_bytes() for name in files}
    evaluate_folder(tmp_path / "run")
    assert {name: (tmp_path / "run" / name).read_bytes() for name in files} == before


def test_bf16_trains_to_finite_weights(toy, tmp_path):
    adframe.run(toy("train.precision=bf16", "train.epochs=1"), tmp_path / "run")
    weights = load_file(tmp_path / "run/model.safetensors")
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert weights["method/backbone.conv1.weight"].dtype == torch.float32


@pytest.mark.parametrize("path", sorted(Path("configs").rglob("*.yaml")), ids=str)
def test_every_bundled_config_assembles(path):
    from adframe.engine.build import assemble

    if {"base", "tables"} & set(path.parts):
        pytest.skip("a base is no run, nor is a table")
    assemble(load_config(path))


@pytest.mark.parametrize(("size", "dropped", "kept"), [
    (3, [3, 3], [3, 3, 2]),
    (4, [4, 4], [4, 4]),
    (7, [7], [7]),  # batch normalisation needs more than one image
])  # fmt: skip
def test_the_last_batch_of_an_epoch_may_be_trained_although_it_is_smaller(toy, size, dropped, kept):
    for drop, expected in ((True, dropped), (False, kept)):
        settings = f"train={{epochs: 2, batch_size: {size}, drop_last: {str(drop).lower()}}}"
        run = prepare(toy(settings), None)
        keys = [batch.keys.values for batch in train._batches(run, epoch=0)]
        assert [len(batch) for batch in keys] == expected
        assert run.total_steps == 2 * len(expected)
        assert len(torch.cat(keys).unique()) == sum(expected)


def test_a_smaller_last_batch_trains_and_has_its_share_of_exposed_outliers(toy, shapes):
    table = f"{{name: image_folder, root: {shapes}, normal: dark}}"
    exposed = f"exposure={{ratio: 0.5, dataset: {table}}}"
    config = toy(exposed, "train={epochs: 1, batch_size: 3, drop_last: false}")
    batches = train._batches(prepare(config, None), epoch=0)
    assert [len(batch.exposed.pixels) for batch in batches] == [2, 1, 1]
    assert 0 <= adframe.run(config).mean_auroc <= 1


def test_exposed_outliers_are_trained_beside_the_inliers(toy, shapes):
    table = f"{{name: image_folder, root: {shapes}, normal: dark}}"
    exposed = f"exposure={{ratio: 0.75, dataset: {table}}}"
    run = prepare(toy(exposed), None)
    assert len(run.exposed) == 28  # every image of the folder, whatever it calls normal
    counts, seen = [], []
    for batch in train._batches(run, epoch=0):
        counts.append(len(batch.exposed.pixels))
        seen += batch.exposed.keys.values.tolist()
    assert counts == [3] * run.batches_per_epoch
    assert len(set(seen)) == len(seen)  # all are seen before one comes again
    report = adframe.run(toy(exposed))
    assert 0 <= report.mean_auroc <= 1


def test_exposure_of_another_size_is_refused(toy, shapes):
    exposed = f"exposure={{dataset: {{name: image_folder, root: {shapes}, size: 8}}}}"
    with pytest.raises(ConfigError, match=r"exposure.dataset: images of \(8, 8\) pixels"):
        prepare(toy(exposed), None)


def test_a_scorer_may_learn_from_outliers_that_are_not_trained_on(toy, shapes, tmp_path):
    plugin = tmp_path / "knowing.py"
    plugin.write_text(
        """
import torch
from adframe import hookimpl
from adframe.interfaces import Scorer
seen = []

class Knowing(Scorer):
    '''Counts what it is shown.'''
    needs_exposed = True
    def fit(self, features):
        seen.append(("fit", len(features["features"])))
    def expose(self, features):
        seen.append(("expose", len(features["features"])))
    def score(self, features):
        return torch.arange(len(features["features"])).float()

@hookimpl
def adframe_register(add):
    add("scorer", "knowing", Knowing)
""",
        encoding="utf-8",
    )
    table = f"{{name: image_folder, root: {shapes}, normal: dark}}"
    exposure = f"exposure={{ratio: 0, dataset: {table}}}"
    config = toy(exposure, "scorer=knowing", "train.epochs=1", plugins=[plugin])
    batches = list(train._batches(prepare(config, None), epoch=0))
    assert [batch.exposed for batch in batches] == [None, None]
    adframe.run(config)
    assert _seen(config) == [("fit", 8), ("expose", 28)]
