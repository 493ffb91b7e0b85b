"""What a component returns is checked where it is used first: one line names it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import adframe
from adframe.cli.main import main
from adframe.engine import returned, returned_images
from adframe.errors import MAX_LINE
from adframe.interfaces import Images, Splits, Stage, Update, ViewSpec

HEAD = """
import sys
from dataclasses import dataclass
import numpy as np
import torch
from adframe import hookimpl
from adframe.interfaces import *

def images(count, outlier):
    pixels = torch.zeros(count, 3, 16, 16, dtype=torch.uint8)
    truth = torch.full((count,), outlier)
    return Images(pixels, torch.full((count,), -1), truth, [str(i) for i in range(count)])

class Broken({base}):
    \"\"\"Breaks one promise.\"\"\"
{body}

@hookimpl
def adframe_register(add):
    add("{kind}", "broken", Broken)
"""
SCORER = """
    def fit(self, features):
        self.mean = features["features"].mean((0, 1, 2))
    def score(self, features):
        scores = (features["features"].mean((1, 2)) - self.mean).norm(dim=1)
        {}
"""
SCHEDULE = """
    def stages(self, levels, progress):
        return {}
"""
METHOD = """
    def setup(self, parts):
        self.net = parts.backbone
        self.terms = torch.nn.ModuleList([term.loss() for term in parts.objective])
    def step(self, batch, progress):
        loss = self.net(batch.pixels / 255)[-1].square().mean()
        {}
    def embed(self, images):
        return {}
"""
EMBED = '{"features": self.net(images)[-1].mean((2, 3))}'


def _plugin(folder: Path, kind: str, body: str) -> Path:
    path = folder / "broken.py"
    base = kind.capitalize()
    path.write_text(HEAD.format(kind=kind, base=base, body=body), encoding="utf-8")
    return path


@pytest.fixture
def run(toy_file, tmp_path, capsys):
    """Runs the toy config with a broken component; returns status, errors and folder."""

    def run(kind: str, body: str, setting: str) -> SimpleNamespace:
        plugin, out = _plugin(tmp_path, kind, body), tmp_path / "run"
        words = ["--set", setting, "--set", "train.epochs=1", "--out", str(out)]
        status = main(["run", str(toy_file), "--plugin", str(plugin), *words])
        lines = capsys.readouterr().err.splitlines()
        return SimpleNamespace(status=status, line=lines[-1], lines=lines, out=out)

    return run


BEFORE = {  # found before the run folder is made
    "shift size": (
        "shift",
        "    variants = 1\n    def __call__(self, images, variant): return images[..., :8]",
        "shifts=[broken]",
        "variant 0 returns a tensor of shape (2, 3, 16, 8), uint8, on cpu",
    ),
    "shift type": (
        "shift",
        "    variants = 1\n    def __call__(self, images, variant): return images.float()",
        "shifts=[broken]",
        "variant 0 returns a tensor of shape (2, 3, 16, 16), float32",
    ),
    "shift variants": (
        "shift",
        "    variants = 0\n    def __call__(self, images, variant): return images",
        "shifts=[broken]",
        "variants is 0, not a number of 1 or more",
    ),
    "augmentation range": (
        "augmentation",
        "    def __call__(self, images, keys, strength=1.0): return images.float()",
        "schedule.augmentation=broken",
        "the augmentation returns values",
    ),
    "augmentation none": (
        "augmentation",
        "    def __call__(self, images, keys, strength=1.0): return None",
        "schedule.augmentation=broken",
        "the augmentation returns None, not floating-point images",
    ),
    "backbone shape": (
        "backbone",
        "    widths = [3] * 4\n    def forward(self, images, depth=None): return [images.mean(1)]",
        "backbone=broken",
        "forward returns a tensor of shape (2, 16, 16), float32",
    ),
    "schedule none": (
        "schedule",
        SCHEDULE.format("None"),
        "schedule=broken",
        "stages returns None, not a list of Stage",
    ),
    "schedule level": (
        "schedule",
        SCHEDULE.format("[Stage(9, lambda images, keys: images / 255)]"),
        "schedule=broken",
        "stages returns levels [9], not rising levels of 1..4",
    ),
    "schedule levels none": (
        "schedule",
        SCHEDULE.format("[Stage(levels, lambda images, keys: images / 255)]")
        + "    def levels(self, levels): return None",
        "schedule=broken",
        "levels returns None, not a list of tuples of levels",
    ),
    "view spec": (
        "scorer",
        SCORER.format("return scores") + "    def view_spec(self): return 3",
        "scorer=broken",
        "view_spec returns 3, not a ViewSpec",
    ),
    "view spec independent": (
        "scorer",
        SCORER.format("return scores") + "    def view_spec(self): return ViewSpec(independent=1)",
        "scorer=broken",
        "view_spec sets independent to 1, not true or false",
    ),
    "constructor": (
        "scorer",
        SCORER.format("return scores") + "    def __init__(self): raise KeyError('x')",
        "scorer=broken",
        "__init__ raised KeyError: 'x'; ADFRAME_TRACEBACK=1 shows where",
    ),
    "float pixels": (
        "dataset",
        """
    def load(self, seed):
        train, test = images(4, False), images(4, True)
        train.pixels = train.pixels.float()
        return Splits(train, test)""",
        "dataset={name: broken}",
        "train: pixels are torch.float32, not uint8",
    ),
    "names": (
        "dataset",
        """
    def load(self, seed):
        train, test = images(4, False), images(4, True)
        test.names = test.names[:1]
        return Splits(train, test)""",
        "dataset={name: broken}",
        "test: 1 names for 4 images",
    ),
    "tuple": (
        "dataset",
        "    def load(self, seed): return images(4, False), images(4, True)",
        "dataset={name: broken}",
        "load returns a tuple of 2, not Splits",
    ),
}


@pytest.mark.parametrize("case", BEFORE)
def test_a_fault_found_before_training_writes_nothing(run, case):
    kind, body, setting, text = BEFORE[case]
    found = run(kind, body, setting)
    assert found.status == 1, found.lines
    assert found.line.startswith(f"{kind} 'broken' of plugin 'broken': {text}")
    assert not (found.out / "config.yaml").exists()


DURING = {
    "vector": ("loss", "return embeddings.square().mean(1)", "forward returns a tensor of shape"),
    "float": ("loss", "return 1.0", "forward returns 1.0, not a floating-point scalar"),
    "integer": ("loss", "return embeddings.sum().long()", "forward returns a tensor of shape (),"),
    "no graph": ("loss", "return embeddings.detach().sum()", "forward returns a value without a g"),
    "raises": ("loss", "raise ValueError('no')", "forward raised ValueError: no; ADFRAME_TRACE"),
    "list": ("method", "return [Update(loss)]", "step returns a list of 1, not a generator; yield"),
    "update": ("method", "yield loss", "step yields a tensor of shape (), float32"),
    "group": ("method", "yield Update(loss, 'other')", "step yields an update of group 'other'"),
    "detached": ("method", "yield Update(loss.detach())", "step yields a loss without a gradient"),
    "nothing": ("method", "yield from ()", "step yields no update"),
    "metric": ("method", "yield Update(loss, metrics={'a': 1.0})", "step yields metric 'a' that i"),
}


@pytest.mark.parametrize("case", DURING)
def test_a_fault_in_the_first_step_is_one_line(run, case):
    kind, code, text = DURING[case]
    if kind == "loss":
        found = run(kind, f"    def forward(self, embeddings, views): {code}",
                    "objective=[{loss: broken}]")  # fmt: skip
    else:
        found = run(kind, METHOD.format(code, EMBED), "method=broken")
    assert found.status == 1, found.lines
    assert found.line.startswith(f"{kind} 'broken' of plugin 'broken': {text}")


EMBEDDINGS = {
    "images": "embed returns a tensor of shape",
    "{}": "embed returns None as 'features'",
    "{'features': images}": "16, 16), float32, on cpu as 'features', not a tensor (",
}


@pytest.mark.parametrize("code", EMBEDDINGS)
def test_an_embedding_of_another_shape_is_one_line(run, code):
    found = run("method", METHOD.format("yield Update(loss)", code), "method=broken")
    assert found.status == 1
    assert EMBEDDINGS[code] in found.line


OPTIMIZERS = {
    "def build(self, parameters): return None": "build returns None, not a torch.optim.Optimizer",
    "def build(self, parameters): return torch.optim.SGD(parameters, 0.1)\n"
    "    def rate(self, progress): return None": "rate returns None, not a number",
    "def build(self, parameters): return torch.optim.SGD(parameters, 0.1)\n"
    "    def rate(self, progress): return float('nan')": "rate returns nan, not a factor",
}


@pytest.mark.parametrize("code", OPTIMIZERS)
def test_an_optimizer_and_its_rate_are_checked(run, code):
    found = run("optimizer", f"    {code}", "optimizer=broken")
    assert found.line == f"optimizer 'broken' of plugin 'broken': {OPTIMIZERS[code]}"


SCORES = {
    "return scores[:, None]": "score returns a tensor of shape",
    "return scores[:-1]": "score returns a tensor of shape",
    "return scores.numpy()": "score returns a NumPy array of shape",
    "return scores.tolist()": "score returns a list of",
    "raise RuntimeError('no')": "score raised RuntimeError: no",
    "sys.exit(3)": "score raised SystemExit: 3",
    "raise RuntimeError(9999 * 'x')": "score raised RuntimeError: xxx",
}


@pytest.mark.parametrize("code", SCORES)
def test_a_scorer_that_fails_loses_no_other_result(run, code):
    found = run("scorer", SCORER.format(code), "scorer=[nearest_cosine, broken]")
    assert found.status == 1
    head = "broken failed: scorer 'broken' of plugin 'broken': "
    assert found.line.startswith(head + SCORES[code])
    assert len(found.line) < MAX_LINE
    result = json.loads((found.out / "result.json").read_text())
    assert list(result["failed"]) == ["broken"]
    assert SCORES[code] in result["failed"]["broken"]
    assert result["scorers"]["broken"] == {"auroc": {}, "mean_auroc": None}
    assert 0 <= result["mean_auroc"] <= 1
    header, *rows = (found.out / "scores.csv").read_text().splitlines()
    assert header == "path,label,score,set,score_broken"
    assert {row.rpartition(",")[2] for row in rows} == {"nan"}


def test_scores_that_are_not_finite_name_the_image(run, capsys):
    code = "return torch.where(scores == scores.max(), torch.inf, scores)"
    found = run("scorer", SCORER.format(code), "scorer=[nearest_cosine, broken]")
    assert found.status == 1
    rows = [row.split(",") for row in (found.out / "scores.csv").read_text().splitlines()]
    bad = [(row[3], row[0]) for row in rows if row[4] == "inf"]
    where = f"{bad[0][0]}, {bad[0][1]}: inf"
    assert found.line == f"broken failed: {len(bad)} of 20 scores are not finite; {where}"
    words = [str(found.out), "--plugin", str(found.out.parent / "broken.py")]
    assert main(["evaluate", *words, "--verify"]) == 0
    assert main(["evaluate", *words]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == found.line


@pytest.mark.parametrize("code", ["return scores.double()", "return scores.half()"])
def test_other_floating_point_scores_are_converted(run, code):
    assert run("scorer", SCORER.format(code), "scorer=broken").status == 0


def test_a_failed_main_scorer_has_no_figure(run):
    found = run("scorer", SCORER.format("return None"), "scorer=[broken, nearest_cosine]")
    result = json.loads((found.out / "result.json").read_text())
    assert (result["auroc"], result["mean_auroc"]) == ({}, None)
    assert 0 <= result["scorers"]["nearest_cosine"]["mean_auroc"] <= 1


def test_a_failed_floor_keeps_the_results(toy, monkeypatch):
    def fails(train, test_sets):
        raise ValueError("no floor")

    monkeypatch.setattr("adframe.engine.evaluate.pixel_floor", fails)
    report = adframe.run(toy("train.epochs=1"))
    assert report.failed == {"pixel floor": "ValueError: no floor"}
    assert 0 <= report.mean_auroc <= 1


def test_outliers_called_inliers_do_not_replace_the_inliers(run, capsys):
    body = "    def load(self, seed): return Splits(images(4, False), images(5, True))"
    found = run("dataset", body, "outliers=[broken]")
    assert found.status == 0
    text = (found.out.parent / "broken.py").read_text().replace('"broken"', '"inliers"')
    (found.out.parent / "broken.py").write_text(text)
    config = adframe.load_config(found.out / "config.yaml", ["outliers=[inliers]"], allow_code=True)
    report = adframe.run(config)
    assert list(report.auroc) == ["image_folder", "inliers_0"]
    assert len(report.outcomes["nearest_cosine"].scores["inliers"]) == 4


def test_the_traceback_is_shown_on_request(run, monkeypatch):
    monkeypatch.setenv("ADFRAME_TRACEBACK", "1")
    found = run("loss", "    def forward(self, embeddings, views): raise ValueError('no')",
                "objective=[{loss: broken}]")  # fmt: skip
    assert any("Traceback" in line for line in found.lines)
    assert any(line.strip().startswith("File") and "broken.py" in line for line in found.lines)


@dataclass
class Unhashable:
    """As a dataclass component is."""


def test_descriptions_are_short():
    assert returned.shown(torch.zeros(2, 1).long()) == "a tensor of shape (2, 1), int64, on cpu"
    assert returned.shown([1, 2]) == "a list of 2"
    assert returned.shown(None) == "None"
    assert returned.shown(Unhashable()) == "a Unhashable"


@pytest.mark.parametrize(
    ("masks", "problem"),
    [
        ([None], "it: 1 masks for 2 images"),
        (7, "it: masks are 7, not a sequence"),
        ([torch.zeros(8, 8)] * 2, "it: a mask is a tensor of shape (8, 8), float32, on cpu, not "),
        ([torch.zeros(8, 7).bool()] * 2, "it: a mask is a tensor of shape (8, 7), bool, on cpu, "),
        ([torch.zeros(8, 8).bool(), None], ""),
        ([None, torch.zeros(8, 8).bool()], ""),
        ((), ""),
    ],
)
def test_masks_are_bool_and_of_the_size_of_the_pixels(masks, problem):
    pixels = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    label, truth = torch.zeros(2).long(), torch.zeros(2).bool()
    found = returned_images.images(Images(pixels, label, truth, ["a", "b"], (), masks), "it")
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


def test_a_parameter_belongs_to_one_group():
    one, two = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    assert not returned.groups({"a": [one], "b": [two]})
    found = returned.groups({"a": [one], "b": [two, one]})
    assert found == "groups has a parameter in both 'a' and 'b'"


def test_what_fits_has_no_problem():
    of = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    label, truth = torch.zeros(2).long(), torch.zeros(2).bool()
    whole = Images(of, label, truth, ["a", "b"])
    parameter = nn.Parameter(torch.ones(1))
    update = Update(parameter.sum(), metrics={"a": torch.tensor(1.0)})
    assert not returned_images.splits(Splits(whole, whole))
    assert not returned_images.of_augmentation(torch.rand(2, 3, 4, 4), of, "it")
    assert not returned_images.of_shift(of.clone(), of, "it")
    assert not returned_images.of_backbone([torch.rand(2, 5, 4, 4)], [5], 2)
    assert not returned.plan([Stage(1, lambda images, keys: images)], 1)
    assert not returned.update(update, {"main": [parameter]})
    assert not returned.view_spec(ViewSpec())
    assert not returned.view_spec(ViewSpec(independent=True))
    assert not returned.scores(torch.rand(2), 2)
    assert not returned.embedding({"features": torch.rand(2, 4)}, ["features"], 2)
