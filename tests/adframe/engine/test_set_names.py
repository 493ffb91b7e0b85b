"""Names of the sets of outliers in results."""

import json

import pytest

import adframe
from adframe.config.identity import identity
from adframe.config.model import load_config
from adframe.engine.build import assemble, construct
from adframe.engine.set_names import set_names
from adframe.errors import ConfigError


@pytest.fixture
def folders(tmp_path):
    """A function that writes a set of outliers in flow YAML, from ``(folder, set_name)``."""

    def of(folder, name=None):
        title = "" if name is None else f", set_name: {name}"
        return f"{{name: image_folder, root: {tmp_path / folder}, size: 16{title}}}"

    return of


def _names(config):
    return set_names(config, construct(config).outliers)


def test_a_name_of_the_config_comes_before_that_of_the_folder(toy, folders):
    sets = [folders("a/test", "scratches"), folders("b/test"), folders("c/test")]
    config = toy(f"outliers=[{', '.join(sets)}]")
    assert _names(config) == ["scratches", "test", "test_2"]


def test_a_folder_does_not_take_a_name_that_the_config_gives_later(toy, folders):
    config = toy(f"outliers=[{folders('dust')}, {folders('x', 'dust')}, {folders('y', 'dust_0')}]")
    assert _names(config) == ["dust_1", "dust", "dust_0"]


@pytest.mark.parametrize("name", ["dust", "inliers", "image_folder"])
def test_two_sets_with_one_name_are_refused_before_data_are_read(toy, folders, name):
    config = toy(f"outliers=[{folders('x', 'dust')}, {folders('y', name)}]")
    with pytest.raises(ConfigError) as caught:
        assemble(config)
    (line,) = str(caught.value).splitlines()
    assert line.endswith(f"outliers.1.set_name: another set is called '{name}', too")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("''", "set_name: must be a name of printable characters, not ''"),
        ("' '", "set_name: must be a name of printable characters, not ' '"),
        ('"a\\nb"', "set_name: must be a name of printable characters, not 'a\\nb'"),
        ("3", "set_name: must be text, not 3"),
        ("[a]", "set_name: must be text, not ['a']"),
    ],
)
def test_what_is_no_name_is_refused(toy, folders, text, problem):
    with pytest.raises(ConfigError) as caught:
        toy(f"outliers=[{folders('x', text)}]")
    assert f"outliers.0.{problem}" in str(caught.value)


def test_only_sets_of_outliers_have_names_and_a_near_word_is_found(toy, folders):
    with pytest.raises(ConfigError, match=r"exposure\.dataset\.set_name: unknown key"):
        toy(f"exposure.dataset={folders('x', 'dust')}")
    wrong = folders("x", "dust").replace("set_name", "setname")
    with pytest.raises(ConfigError, match=r"setname: unknown key; did you mean 'set_name'\?"):
        toy(f"outliers=[{wrong}]")


def test_a_name_is_in_the_results_and_in_the_config_of_the_run(toy, shapes, tmp_path):
    one = f"{{name: image_folder, root: {shapes}, normal: dark, size: 16, set_name: 'all of it'}}"
    report = adframe.run(toy(f"outliers=[{one}]", "train.epochs=1"), tmp_path / "run")
    assert set(report.auroc) == {"image_folder", "all of it"}
    again = load_config(tmp_path / "run" / "config.yaml")
    assert again.dump()["outliers"][0]["set_name"] == "all of it"
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert set(result["auroc"]) == {"image_folder", "all of it"}
    adframe.run(again, tmp_path / "run", resume=True)
    assert identity(toy(f"outliers=[{one.replace('all', 'none')}]")) != identity(again)


def test_the_anomalies_of_the_data_set_itself_have_a_name(toy, folders, tmp_path):
    config = toy("dataset.set_name=defects", f"outliers=[{folders('x')}]", "train.epochs=1")
    assert _names(config) == ["x"]
    report = adframe.run(toy("dataset.set_name=defects", "train.epochs=1"), tmp_path / "run")
    assert set(report.auroc) == {"defects"}
    again = load_config(tmp_path / "run" / "config.yaml")
    assert again.dump()["dataset"]["set_name"] == "defects"


@pytest.mark.parametrize("name", ["inliers", "dust"])
def test_its_name_is_of_no_other_set(toy, folders, name):
    config = toy(f"dataset.set_name={name}", f"outliers=[{folders('x', 'dust')}]")
    with pytest.raises(ConfigError, match="set_name: .*called 'inliers'|another set is called"):
        assemble(config)
