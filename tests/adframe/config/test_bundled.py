"""Bundled configs have names, in every folder and in an installed package."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from adframe.cli.main import main
from adframe.config.bundled import bundled_configs, configs_folder, find_config, shown
from adframe.config.model import load_config
from adframe.errors import UserError, one_line
from adframe.registry.loading import load_plugins

ROOT = Path(__file__).parents[3]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_bundled_config_is_a_name_and_loads_by_it(elsewhere):
    names = bundled_configs()
    assert {"quickstart", "unicon_ha/cifar10", "unicon_ha/table6/row9"} <= set(names)
    assert not [name for name in names if name.startswith(("base/", "tables/"))]
    loaded = load_plugins()
    for name, path in names.items():
        assert find_config(name) == path
        assert load_config(name, loaded=loaded).source == f"configs/{name}.yaml"


def test_a_file_wins_over_a_bundled_name_and_a_folder_does_not(elsewhere):
    bundled = load_config("quickstart")
    Path("quickstart").mkdir()
    assert load_config("quickstart").dump() == bundled.dump()
    Path("quickstart").rmdir()
    Path("quickstart").write_text("extends: unicon_ha/cifar10\nseed: 7\n")
    mine = load_config("quickstart")
    assert (mine.seed, mine.dataset.entry.name) == (7, "cifar10")


def test_extends_takes_names_after_files_next_to_it(elsewhere):
    Path("deep").mkdir()
    Path("deep/x.yaml").write_text("extends: [quickstart]\nseed: 3\n")
    config = load_config("deep/x.yaml")
    assert config.dump() == load_config("quickstart", ["seed=3"]).dump()
    assert config.written(("train", "epochs")) == "configs/quickstart.yaml:7"
    Path("deep/quickstart").write_text("extends: quickstart.yaml\ntrain: {epochs: 2}\n")
    Path("deep/quickstart.yaml").write_text("extends: base/unicon_ha\ndataset: lfw_faces\n")
    config = load_config("deep/x.yaml")
    assert config.train.epochs == 2
    assert config.written(("dataset",)) == "deep/quickstart.yaml:2"


def test_a_problem_in_a_bundled_config_names_it_as_in_a_clone(elsewhere):
    with pytest.raises(UserError, match=r"^configs/quickstart\.yaml:4: dataset: no dataset named"):
        load_config("quickstart", without=["datasets"])
    assert shown(configs_folder() / "csi/../quickstart.yaml") == "configs/quickstart.yaml"
    assert shown(Path("quickstart.yaml")) == "quickstart.yaml"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("quickstat", "; did you mean 'quickstart'?"),
        ("unicon_ha/cifar", "; did you mean 'unicon_ha/cifar10'?"),
        ("configs/csi/cifar10.yaml", "; did you mean 'csi/cifar10'?"),
        ("zzzzzzzz", "; see: adframe configs"),
        ("a" * 200, "; see: adframe configs"),
        ("", "; see: adframe configs"),
    ],
)
def test_a_name_that_is_none_gets_the_nearest(elsewhere, name, hint):
    with pytest.raises(UserError) as caught:
        find_config(name)
    assert str(caught.value) == one_line(f"{name}: no such file or bundled config{hint}")
    assert str(caught.value).endswith(hint)


@pytest.mark.parametrize(
    "name", ["../pyproject", "../configs/quickstart", "csi/../quickstart", "./csi/../../conftest"]
)
def test_a_name_does_not_leave_the_folder(elsewhere, name):
    with pytest.raises(UserError, match="no such file or bundled config"):
        find_config(name)


def test_check_and_run_take_names(elsewhere, capsys):
    assert main(["check", "quickstart"]) == 0
    assert capsys.readouterr().out == "quickstart: ok\n"
    assert main(["check", "quickstart", "--resolved"]) == 0
    assert "# configs/quickstart.yaml:7\n" in capsys.readouterr().out
    small = ["backbone.width=0.0625", "train.epochs=1", "scorer.views=1", "train.device=cpu"]
    assert main(["run", "quickstart", *(f"--set={setting}" for setting in small)]) == 0
    assert (elsewhere / "runs/quickstart-1/result.json").exists()


@pytest.mark.slow
def test_a_wheel_has_the_configs_under_the_same_names(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("adframe", "plugins"):
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, source / name, ignore=ignore)  # follows the link to configs
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('..'))"
    made = _python(build, source).splitlines()[-1]
    with zipfile.ZipFile(tmp_path / made) as wheel:
        wheel.extractall(tmp_path / "site")
    (tmp_path / "empty").mkdir()
    names = "; ".join(
        [
            "import adframe",
            "from adframe.config import bundled",
            "print(adframe.__file__, *bundled.bundled_configs())",
            "adframe.load_config('unicon_ha/cifar10')",
        ]
    )
    where, *found = _python(names, tmp_path / "empty", tmp_path / "site").split()
    assert Path(where).parent == tmp_path / "site/adframe"
    assert found == list(bundled_configs())


def _python(code: str, folder: Path, *paths: Path) -> str:
    path = os.pathsep.join(map(str, paths))
    environment = {**os.environ, "PYTHONPATH": path}
    call = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(
        call, cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    [("..", "is a folder"), ("x" * 5000, "File name too long")],
)
def test_a_path_that_leads_to_no_file_is_told_why(elsewhere, name, reason):
    with pytest.raises(UserError) as caught:
        find_config(name)
    assert str(caught.value) == one_line(f"{name}: {reason}")
