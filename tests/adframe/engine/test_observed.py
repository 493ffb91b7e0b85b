"""Observers watch a run from start to end, a resumed one from its checkpoint."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import torch
from PIL import Image

import adframe
from adframe.engine.build import assemble
from adframe.engine.runner import evaluate_folder, prepare
from adframe.engine.verify import verify
from adframe.errors import ConfigError, PluginFault, UserError
from adframe.io.atomic import read_json
from adframe.io.tensors import read_tensors

PLUGIN = r'''
import json
from pathlib import Path
from adframe import hookimpl
from adframe.interfaces import Count, Observer

def weights(run):
    return sum(float(p.detach().double().sum()) for p in run.assembly.method.parameters())

class Notes(Observer):
    """Notes what it sees.

    Args:
        fail: epoch after which it fails.
        unmarked: whether it has a hook that is not marked.
    """

    def note(self, *of):
        with open(Path(__file__).with_name("notes.jsonl"), "a") as file:
            file.write(json.dumps(of) + "\n")

    def __init__(self, fail: Count | None = None) -> None:
        self.fail = fail

    @hookimpl
    def adframe_run_start(self, run):
        self.note("start", run.epoch, run.step, weights(run), run.history)

    @hookimpl
    def adframe_epoch_end(self, run, epoch):
        self.note("epoch", epoch, list(run.epoch_metrics))
        if epoch == self.fail:
            raise ZeroDivisionError
    @hookimpl
    def adframe_run_end(self, run, report):
        self.note("end", run.out is not None, weights(run))

    def close(self, error):
        self.note("close", type(error).__name__)

class Unmarked(Notes):
    """Has a hook that is not marked."""
    def adframe_progress(self, run, done, total):
        pass

@hookimpl
def adframe_register(add):
    add("observer", "notes", Notes)
    add("observer", "unmarked", Unmarked)
'''
VALIDATED = ("validation={every: 2, share: 0.25, anomalies: rotation}", "train.epochs=3")


@pytest.fixture
def make(toy, tmp_path):
    plugin = tmp_path / "notes.py"
    plugin.write_text(PLUGIN)
    return lambda *settings: toy(*settings, plugins=[plugin])


@pytest.fixture
def notes(tmp_path):
    """Takes what the observer has noted."""

    def take():
        path = tmp_path / "notes.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        path.unlink()
        return lines

    return take


def test_a_resumed_run_is_watched_from_its_checkpoint(make, notes, tmp_path):
    config = make("observers=[{name: notes, fail: 2}]", "train.epochs=3")
    with pytest.raises(ZeroDivisionError):
        adframe.run(config, tmp_path / "run")
    start, first, second, close = notes()
    assert start[:3] == ["start", 0, 0]
    assert start[4] == {}
    assert [first[:2], second[:2]] == [["epoch", 1], ["epoch", 2]]
    assert close == ["close", "ZeroDivisionError"]

    config = make("observers=[notes]", "train.epochs=3")
    adframe.run(config, tmp_path / "run", resume=True)  # another option is not another run
    again, *epochs, end, close = notes()
    assert list(again[4]) == second[2]  # in the order in which they were logged
    assert again[:3] == ["start", 1, 4]  # the hook after the second epoch is called again
    assert again[3] != start[3]
    assert len(again[4]["loss"]) == 1
    assert [note[:2] for note in epochs] == [["epoch", 2], ["epoch", 3]]
    assert end[:2] == ["end", True]
    assert close == ["close", "NoneType"]

    evaluate_folder(tmp_path / "run", plugins=[tmp_path / "notes.py"])
    assert notes() == [end, close]
    assert verify(tmp_path / "run", plugins=[tmp_path / "notes.py"]) is None
    assert not (tmp_path / "notes.jsonl").exists()
    adframe.run(make("train.epochs=3"), tmp_path / "run", resume=True)  # nor is a run without it


def test_a_hook_that_is_not_marked_is_refused(make, tmp_path):
    with pytest.raises(PluginFault, match="observer 'unmarked' .*'adframe_progress' is not marked"):
        adframe.run(make("observers=[unmarked]"), tmp_path / "run")
    with pytest.raises(PluginFault, match="observer 'unmarked' .*'adframe_progress' is not marked"):
        assemble(make("observers=[unmarked]"))
    assert not (tmp_path / "run").exists()


def test_validation_is_logged_and_changes_nothing_else(make, notes, tmp_path):
    config = make(*VALIDATED, "observers=[notes]", "metrics=[average_precision]")
    adframe.run(config, tmp_path / "run")
    names = [note[2] for note in notes() if note[0] == "epoch"]
    scored = ["validation_auroc", "validation_average_precision"]
    assert [[name for name in of if "validation" in name] for of in names] == [[], scored, scored]
    tensors, _ = read_tensors(tmp_path / "run/state.safetensors")
    history = tensors["history/validation_auroc"]
    result = read_json(tmp_path / "run/result.json")["validation"]
    assert result["validation_auroc"] == history[-1]
    assert history.isnan().tolist() == [True, False, False]
    assert 0 <= history[1] <= 1
    seldom = make(*VALIDATED, "validation.every=3")
    adframe.run(seldom, tmp_path / "seldom")
    other, _ = read_tensors(tmp_path / "seldom/model.safetensors")
    for name, weight in read_tensors(tmp_path / "run/model.safetensors")[0].items():
        assert torch.equal(other[name], weight)


def test_validation_images_are_held_out_and_shifted(make):
    run = prepare(make(*VALIDATED), None)
    whole = prepare(make(), None)
    sets = run.validation
    assert list(sets) == ["inliers", "variant_1", "variant_2", "variant_3"]
    assert len(run.data.train) + len(sets["inliers"]) == len(whole.data.train) == 8
    assert not set(run.data.train.names) & set(sets["inliers"].names)
    assert run.data.validation.names == sets["inliers"].names
    turned = sets["variant_1"].pixels.subset(torch.tensor([1]))[:]
    assert torch.equal(turned, torch.rot90(sets["inliers"].pixels[1:2], 1, (2, 3)))


def test_validation_without_anomalies_is_refused(make):
    with pytest.raises(ConfigError, match=r"validation: no anomalies .* set anomalies to a shift"):
        prepare(make("validation={share: 0.25}"), None)


def test_named_data_judge_a_run_and_test_images_never_do(make, shapes, tmp_path):
    (tmp_path / "grey").mkdir()
    for level in (99, 120):
        pixels = np.full((16, 16, 3), level, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"grey/{level}.png")
    plain = "validation={share: 0.25, outliers: [{name: image_folder, root: '%s'}]}"
    config = make(plain % (tmp_path / "grey"), "train.epochs=0")
    report = adframe.run(config, tmp_path / "run")
    assert 0 <= report.validation["validation_auroc"] <= 1  # without an epoch, too
    assert read_json(tmp_path / "run/result.json")["validation"] == report.validation
    assert evaluate_folder(tmp_path / "run", plugins=config.plugins).validation == report.validation
    with pytest.raises(
        ConfigError, match="8 of 8 images are test images of image_folder"
    ) as caught:
        prepare(make(plain % (shapes / "right")), None)  # it is a class of test outliers
    assert "validation.outliers.0" in str(caught.value)
    assert "must not judge a run" in str(caught.value)


def test_a_hook_may_score_images(make, tmp_path):
    run = prepare(make("train.epochs=1"), None)
    images = run.test_sets["inliers"]
    state = torch.random.get_rng_state()
    first = run.score(images)
    judge = run._judge
    assert torch.equal(run.score(images)["nearest_cosine"], first["nearest_cosine"])
    assert run._judge is judge  # fitted once at a step
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(hasattr(scorer, "bank") for scorer in run.assembly.scorers)
    assert first["nearest_cosine"].shape == (len(images),)


def test_a_scorer_that_fails_in_validation_does_not_end_the_run(
    make, tmp_path, caplog, monkeypatch
):

    config = make(*VALIDATED, "train.epochs=2", "scorer=[nearest_cosine, mahalanobis]")
    kind = config.scorer[1].entry.load()
    fit, calls = kind.fit, []

    def once(scorer, features):
        calls.append(1)
        if len(calls) == 1:
            raise UserError("too few")
        fit(scorer, features)

    monkeypatch.setattr(kind, "fit", once)
    with caplog.at_level(logging.WARNING, "adframe"):
        report = adframe.run(config, tmp_path / "run")
    assert "epoch 2: no score of the validation images: too few" in caplog.messages
    assert report.failed == {}
