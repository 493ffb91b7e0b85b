"""The report is one file that needs nothing else, and shows names as text."""

import importlib.util
import json
import shutil
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
import torch

import adframe
from adframe.cli.main import main
from adframe.engine.reuse import evaluate_into
from adframe.errors import UserError
from adframe.reports.words import tables

ODD = "<script>alert('x')<&script> $x^2$"  # a slash cannot be in the name of a file
FILE = "<img src=x onerror=alert(1)>.png"
VOID = {"meta", "img", "br", "path", "use", "rect"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; checks that every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.open, self.text = [], [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href")]
        assert not [name for name, _ in attributes if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name == "xlink:href"]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def run(shapes, toy_file, tmp_path_factory):
    """A run on classes and files of hostile names, with a decision."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("report")
    shutil.copytree(shapes / "left", root / "data" / "left")
    shutil.copytree(shapes / "dark", root / "data" / ODD)
    shutil.move(root / "data" / ODD / "00.png", root / "data" / ODD / FILE)
    settings = ["train.epochs=2", "scorer.views=1", "scorer.augmentation=null",
                f"dataset.root={root / 'data'}", "decision.false_alarms=0.4",
                "metrics=[average_precision]"]  # fmt: skip
    adframe.run(adframe.load_config(toy_file, settings), root / "run")
    return root / "run"


@pytest.fixture(scope="module")
def page(run):
    path = adframe.report(run)
    assert path == run / "report.html"
    return Page(path.read_text("utf-8"))


def test_it_links_to_nothing_else(page):
    assert page.links
    assert all(link.startswith(("data:image/jpeg;base64,", "#")) for link in page.links)
    assert not {"script", "link", "iframe"} & set(page.tags)


def test_names_are_text(page):
    assert ODD in page.text
    assert FILE in page.text
    assert page.text.count(FILE) <= page.tags.count("img")


def test_it_shows_result_threshold_figures_images_and_config(page, run):
    result = json.loads((run / "result.json").read_text())
    assert f"AUROC {result['mean_auroc']:.3f}: of a hundred pairs" in page.text
    assert f"if its score is {result['decision']['threshold']:.4g} or more" in page.text
    assert page.tags.count("svg") == 4
    for text in ("The most anomalous", "Nearest to the threshold", "average_precision",
                 "--set train.epochs=2", "train_images", "# default"):  # fmt: skip
        assert text in page.text, text
    groups = 8 * 2  # at least, each with its image and three neighbours
    assert page.tags.count("img") >= 4 * groups


def test_a_report_of_several_runs_compares_them(run, tmp_path, shapes, capsys):
    other = tmp_path / "<i>other"
    shutil.copytree(run, other)
    assert main(["report", str(run), str(other), "--out", str(tmp_path / "both.html")]) == 0
    assert capsys.readouterr().out.startswith(f"wrote {tmp_path / 'both.html'}: ")
    page = Page((tmp_path / "both.html").read_text())
    assert page.text.count("+0.000") >= 3
    assert {"#run-1", "#run-2"} <= set(page.links)
    assert str(other) in page.text


def test_what_is_unusual_is_shown(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    result = json.loads((copy / "result.json").read_text())
    result |= {"below_floor": True, "failed": {"fpr<": "a & b"}}
    (copy / "result.json").write_text(json.dumps(result))
    lines = (copy / "scores.csv").read_text().splitlines()
    first, trained = (f"{tmp_path / name}.png" for name in "ab")
    shutil.copy(lines[1].split(",")[0], first)
    shutil.copy(first, trained)
    row = ",".join([first, *lines[1].split(",")[-5:]])
    (copy / "scores.csv").write_text(f"{lines[0]}\n{row}\n")
    (copy / "training.csv").write_text(f"path,use\n{trained},train\n")
    (copy / "model.safetensors").write_bytes(b"")
    text = Page(adframe.report(copy).read_text()).text
    assert "worse than comparing raw pixels" in text
    assert "fpr< failed: a & b" in text
    assert f"1 test images are copies of training images, such as {first} and {trained}." in text
    assert "All scores are equal" in text
    assert "Without nearest images and maps" in text


def test_images_that_are_gone_are_not_missed(run, tmp_path, monkeypatch):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    for name in ("scores.csv", "training.csv", "config.yaml", "origins.yaml"):
        path = copy / name
        path.write_text(path.read_text().replace(str(run.parent / "data"), "/gone"))
    page = Page(adframe.report(copy).read_text())
    assert "img" not in page.tags
    assert "The images cannot be read: " in page.text


def test_a_missing_library_is_one_line_that_names_the_extra(run, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "jinja2" else found(n))
    with pytest.raises(UserError, match=r"^report needs jinja2: pip install 'adframe\[report\]'$"):
        adframe.report(run)


def test_what_is_no_run_is_one_line(tmp_path):
    (tmp_path / "x").mkdir()
    for runs, message in [(tmp_path / "x", "is no finished run"), ([], "no runs")]:
        with pytest.raises(UserError, match=message):
            adframe.report(runs)


def test_maps_are_laid_over_images(run, tmp_path):
    settings = ["scorer={name: feature_map, grid: 4}", "metrics=[]"]
    evaluate_into(run, tmp_path / "maps", settings)
    text = adframe.report(tmp_path / "maps").read_text()
    assert text.count('alt="map"') == text.count("<figcaption><strong>") > 8
    assert "training images nearest" not in Page(text).text


def test_a_run_with_validation_images_shows_their_curve(run, tmp_path):
    title = "AUROC on validation images during training"
    shutil.copytree(run, tmp_path / "run")
    assert title not in adframe.report(tmp_path / "run").read_text("utf-8")
    with open(tmp_path / "run" / "metrics.jsonl", "a", encoding="utf-8") as log:
        log.write(json.dumps({"epoch": 2, "validation_auroc": 0.75}) + "\n")
    assert title in Page(adframe.report(tmp_path / "run").read_text("utf-8")).text


def test_each_class_has_its_auroc_and_one_set_has_no_mean():
    known = {"auroc": {"data": 0.75}, "mean_auroc": 0.75, "classes": {"data": {"a": 0.5, "b": 1.0}}}
    result = {"scorers": {"knn": known}, "floor": {"l2": {"auroc": {"data": 0.6}}}}
    (table,) = tables(SimpleNamespace(result=result))
    assert table == [
        ["AUROC", "knn", "pixels, l2"],
        ["data", "0.750", "0.600"],
        ["data: a", "0.500", "-"],
        ["data: b", "1.000", "-"],
    ]
    known["auroc"]["more"] = 0.5
    assert tables(SimpleNamespace(result=result))[0][-1] == ["mean", "0.750", "-"]


def test_values_of_the_environment_are_in_words(page):
    assert "{'" not in page.text
    assert "torch " in page.text
