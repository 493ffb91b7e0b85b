"""Runs in a folder: found, read as far as possible, and never a traceback."""

import json
import os
import time
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adframe.config.model import load_config
from adframe.config.yaml_tree import escaped, read_file, to_yaml
from adframe.engine import run_list
from adframe.engine.run_list import is_complete, list_runs, read_sections
from adframe.engine.runner import run
from adframe.errors import UserError

TEXT = st.characters(exclude_characters="\0")  # which no config may hold
SCORES = {"inliers": [0.1, 0.2], "odd": [0.3]}


def test_what_a_finished_run_is(fake_run, tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    folder = fake_run(tmp_path / "a/b", SCORES, seed=3, normal="cat")
    for path in folder.iterdir():
        os.utime(path, (0, 1_000_000_000))
    os.utime(folder / "result.json", (0, 1_700_000_000))
    (found,) = list_runs(tmp_path)
    assert asdict(found) == {
        "name": "a/b", "data": "photos", "normal": "cat", "method": "contrast",
        "objective": "pull+push", "scorer": "near+far", "seed": 3, "epochs": 4, "of_epochs": 4,
        "auroc": 0.75, "floor": 0.5, "seconds": 12.34, "date": "2023-11-14 22:13",
        "status": "finished", "reason": "", "config": {},
    }  # fmt: skip


def test_what_a_half_finished_run_is(fake_run, tmp_path):
    fake_run(tmp_path / "a")
    (found,) = list_runs(tmp_path)
    assert (found.status, found.epochs, found.of_epochs) == ("half-finished", 2, 4)
    assert (found.seconds, found.auroc, found.floor) == (5.5, None, None)
    (tmp_path / "a/state.json").unlink()
    (found,) = list_runs(tmp_path)
    assert (found.status, found.epochs, found.seconds) == ("half-finished", None, None)


def test_a_real_run_is_read_as_its_report_is(toy, tmp_path):
    config = toy("train.epochs=1")
    report = run(config, out=tmp_path / "real")
    (found,) = list_runs(tmp_path, ["backbone.width", "objective.0.loss.name"])
    assert (found.data, found.normal, found.method) == ("image_folder", "left", "contrastive")
    assert found.auroc == report.mean_auroc
    assert found.floor == report.floor["cosine"].mean
    assert found.status == "finished"
    assert found.config == {"backbone.width": 0.0625, "objective.0.loss.name": "uniclr"}


def test_runs_are_found_below_and_links_are_not_followed(fake_run, tmp_path):
    fake_run(tmp_path / "b/2/run", SCORES)
    fake_run(tmp_path / "a", SCORES)
    fake_run(tmp_path / "a/inside", SCORES)  # a part of that run
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/config.yaml").write_text("a: 1")  # one file alone is no run
    (tmp_path / "b/loop").symlink_to(tmp_path)
    assert [found.name for found in list_runs(tmp_path)] == ["a", "b/2/run"]
    assert [found.name for found in list_runs(tmp_path / "a")] == [str(tmp_path / "a")]
    with pytest.raises(UserError, match="nowhere: no such folder"):
        list_runs(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["{", "[]", "null", "[" * 100_000, '{"seconds": 1e999}', "\xff"])
@pytest.mark.parametrize("name", ["result.json", "state.json"])
def test_a_damaged_file_is_a_line(fake_run, tmp_path, name, text):
    fake_run(tmp_path / "a", SCORES)
    (tmp_path / "a" / name).write_text(text, encoding="latin-1")
    (found,) = list_runs(tmp_path)
    fine = name == "state.json" and text.startswith('{"')
    assert found.status == ("finished" if fine else "damaged")
    assert fine or found.reason.startswith(f"{name}: ")
    assert "\n" not in found.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "lacks"),
        ("seed: [", "lacks"),
        ("train: {epochs: x}\ndataset: {name: a}", "lacks train.epochs"),
        ("train: {epochs: 1}\ndataset: 3", "lacks a data set"),
        ("train: {epochs: 1}\ndataset: {name: [a}", "not valid YAML"),
        ("train: {epochs: 1}\ndataset: *a", "not valid YAML"),
        ("train: {epochs: 1}\ndataset: !!python/name:os.system x", "tag"),
        ("dataset: \xff", "not UTF-8"),
        ("x" * 300_000, "too large"),
    ],
)
def test_a_damaged_config_is_a_line(fake_run, tmp_path, text, reason):
    fake_run(tmp_path / "a", SCORES)
    (tmp_path / "a/config.yaml").write_text(text, encoding="latin-1")
    (found,) = list_runs(tmp_path)
    assert found.status == "damaged"
    assert found.reason.startswith("config.yaml: ")
    assert reason in found.reason


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
@pytest.mark.parametrize("name", ["config.yaml", "result.json"])
def test_what_is_no_file_is_a_line(fake_run, tmp_path, plant, name, kind):
    folder = fake_run(tmp_path / "a", SCORES)
    (folder / name).unlink()
    plant(folder / name, kind)
    (found,) = list_runs(tmp_path)
    assert found.status == "damaged"
    assert found.reason.startswith(f"{name}: is a ")


def test_a_config_that_is_gone_is_a_line(fake_run, tmp_path):
    (fake_run(tmp_path / "a", SCORES) / "config.yaml").unlink()
    (found,) = list_runs(tmp_path)
    assert (found.status, found.reason) == ("damaged", "config.yaml: No such file or directory")


def test_a_large_file_is_not_read(fake_run, tmp_path, monkeypatch):
    monkeypatch.setattr(run_list, "MAX_JSON", 50)
    fake_run(tmp_path / "a", SCORES)
    (found,) = list_runs(tmp_path)
    assert found.reason == "result.json: too large; it has more than 50 bytes"


def test_odd_values_are_not_known(fake_run, tmp_path):
    folder = fake_run(tmp_path / "a", SCORES)
    odd = {"mean_auroc": 0.5, "seconds": True, "epochs": "x", "floor": [1], "failed": 3}
    (folder / "result.json").write_text(json.dumps(odd))
    (found,) = list_runs(tmp_path)
    assert (found.status, found.auroc) == ("finished", 0.5)
    assert (found.seconds, found.epochs, found.floor) == (None, None, None)


def test_a_run_whose_scorer_failed_is_half_finished(fake_run, tmp_path):
    folder = fake_run(tmp_path / "a", SCORES)
    result = {"auroc": {}, "mean_auroc": None, "scorers": {"near": {}}, "failed": {"near": "why"}}
    (folder / "result.json").write_text(json.dumps(result))
    (found,) = list_runs(tmp_path)
    assert (found.status, found.reason) == ("half-finished", "a scorer failed")
    (folder / "result.json").write_text('{"mean_auroc": null}')
    (found,) = list_runs(tmp_path)
    assert (found.status, found.reason[:12]) == ("damaged", "result.json:")


@pytest.mark.parametrize("odd", [{"scorers": 3}, {"scorers": {"a": 1}, "failed": 3, "auroc": {}}])
def test_an_odd_result_is_not_complete(odd):
    assert not is_complete(odd)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
        st.recursive(
            st.none() | st.booleans() | st.integers(-9, 9) | st.text(TEXT, max_size=200),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), inner, max_size=3)
            ),
            max_leaves=6,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_parts_of_a_config_are_those_of_the_whole(tmp_path_factory, config):
    """For every config that adframe writes."""
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_bytes(to_yaml(escaped(config)).encode("utf-8", "surrogateescape"))
    parts = [run_list._section(text) for text in read_sections(path).values()]
    together = {key: value for part in parts for key, value in part.items()}
    assert together == read_file(path).plain()


@pytest.mark.parametrize("name", ["quickstart", "unicon_ha/cifar10", "csi/cifar10"])
def test_the_parts_of_a_real_config_are_those_of_the_whole(name, tmp_path):
    config = load_config(name)
    path = tmp_path / "config.yaml"
    path.write_text(config.yaml())
    parts = [run_list._section(text) for text in read_sections(path).values()]
    assert {key: value for part in parts for key, value in part.items()} == config.dump()
