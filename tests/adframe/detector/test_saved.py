"""A detector as one file: equal scores without data, and one line for what cannot be read."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open

import adframe
from adframe.config.model import load_config
from adframe.errors import UserError
from adframe.io.tensors import read_tensors, write_tensors

PLUGIN = """
from adframe import hookimpl
from adframe.interfaces import Scorer

class Mean(Scorer):
    \"\"\"Mean of the features.\"\"\"

    def fit(self, features):
        self.middle = features["features"].mean()

    def score(self, features):
        return features["features"].mean((1, 2, 3)) - self.middle

@hookimpl
def adframe_register(add):
    add("scorer", "mean_feature", Mean)
"""

#: bundled methods, each with the scorer it was published with; and what is needed to be small
METHODS = [
    "csi/cifar10", "rotnet/cifar10", "droc/rotation", "ssd/cifar10", "cutpaste/cifar10",
    "firm/cifar10", "idecode/cifar10", "patchcore/mvtec", "padim/mvtec", "unicon_ha/cifar10",
    "cutpaste/three_way", "droc/contrastive", "droc/da_contrastive", "geom/cifar10", "goad/cifar10",
    "rot_trans/cifar10", "simclr/cifar10", "deep_svdd/cifar10", "plad/cifar10",
    "csi/cifar10_no_shifts",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(toy_file, tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("saved")
    (root / "mean.py").write_text(PLUGIN)
    config = load_config(
        toy_file,
        ["scorer=mean_feature", "decision={false_alarms: 0.2, calibration: 0.3}", "train.epochs=0"],
        plugins=root / "mean.py",
    )
    adframe.run(config, root / "run")
    return root


@pytest.fixture(scope="module")
def file(folder):
    detector = adframe.load(folder / "run", allow_code=True)
    detector.save(folder / "one.safetensors")
    return folder / "one.safetensors"


def test_a_file_scores_as_its_run_does(folder, file, shapes):
    images = sorted((shapes / "dark").iterdir())
    one, other = (
        adframe.load(folder / "run", allow_code=True),
        adframe.load(file, plugins=folder / "mean.py"),
    )
    assert one.score(images).tobytes() == other.score(images).tobytes()
    assert one.p_values(images).tolist() == other.p_values(images).tolist()
    assert one.names == other.names


def test_a_file_holds_no_path_of_the_plugin_and_says_what_it_needs(folder, file):
    _, facts = read_tensors(file)
    needed = {plugin["name"]: plugin for plugin in facts["detector"]["plugins"]}
    assert {"backbones", "mean", "methods", "datasets"} <= needed.keys()
    assert all(len(plugin["sha256"]) == 64 for plugin in needed.values())
    assert needed["mean"]["owner"] == ""
    assert str(folder / "mean.py") not in json.dumps(facts)
    with safe_open(file, framework="pt") as opened:  # any safetensors reader can
        assert "names" in opened.keys()  # noqa: SIM118


def test_another_version_of_a_plugin_is_a_warning(folder, file, tmp_path, logged, shapes):
    (tmp_path / "mean.py").write_text(PLUGIN + "# changed\n")
    adframe.load(file, plugins=tmp_path / "mean.py")
    logged("other versions of the plugins mean; scores may differ")


def forged(change):
    def make(source, path):
        tensors, facts = read_tensors(source)
        change(tensors, facts)
        write_tensors(path, tensors, facts)

    return make


def cut(source, path):
    path.write_bytes(source.read_bytes()[:-100])


def flipped(source, path):
    data = bytearray(source.read_bytes())
    data[-50] ^= 255
    path.write_bytes(data)


def pickled(source, path):
    torch.save({"a": torch.ones(1)}, path)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (cut, "damaged"),
        (flipped, "does not match its SHA-256"),
        (pickled, "damaged"),
        (forged(lambda t, f: f.pop("detector")), "not a saved detector"),
        (forged(lambda t, f: f["detector"].pop("plugins")), "damaged"),
        (forged(lambda t, f: f["detector"].update(plugins=[{}])), "damaged"),
        (forged(lambda t, f: f["detector"].update(plugins=3)), "damaged"),
        (forged(lambda t, f: f["detector"].update(config="seed: [")), "one.safetensors"),
        (forged(lambda t, f: f["detector"].update(config=7)), "damaged"),
        (forged(lambda t, f: f["detector"].update(config="seed: x")), "does not fit the plugins"),
        (forged(lambda t, f: f.update(image_size=[3, 0, 1])), "image_size"),
        (forged(lambda t, f: f.update(format=99)), "format 99"),
        (forged(lambda t, f: t.pop("method/backbone.conv1.weight")), "does not fit the network"),
        (forged(lambda t, f: f["detector"]["plugins"].append(
            {"name": "lost", "owner": "lost-package", "version": "1", "sha256": ""}
        )), "needs plugin 'lost' of lost-package 1: not installed"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_whole_is_refused_in_one_line(damage, text, folder, file, tmp_path):
    damage(file, tmp_path / "one.safetensors")
    with pytest.raises(UserError, match=text) as caught:
        adframe.load(tmp_path / "one.safetensors", plugins=folder / "mean.py")
    assert "\n" not in str(caught.value)


def test_a_missing_plugin_file_is_named(file):
    with pytest.raises(UserError, match=r"needs the plugin file mean\.py"):
        adframe.load(file)


def test_score_takes_a_saved_detector(folder, file, shapes, capsys):
    from adframe.cli.main import main

    plugin = ["--plugin", str(folder / "mean.py")]
    assert main(["score", str(file), str(shapes / "dark"), *plugin]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "path,score,p_value,anomalous"
    assert len(rows) == 9


SCORE = """
import sys, numpy, torch, adframe
torch.set_num_threads(1)  # as here: a sum in parts is rounded in another way
for file in sys.argv[2:]:
    scores = adframe.load(file).score(sys.argv[1])
    print(file, scores.tobytes().hex())
"""


@pytest.mark.slow
def test_methods_are_loaded_elsewhere_without_data_and_score_to_the_byte(shapes, tmp_path):
    data = tmp_path / "data"
    for name, count in {"left": 4, "dark": 2}.items():
        (data / name).mkdir(parents=True)
        for image in sorted((shapes / name).iterdir())[:count]:
            shutil.copy(image, data / name)
    image = shutil.copy(next((data / "dark").iterdir()), tmp_path / "image.png")
    expected = []
    for name in METHODS:
        small = [
            f"dataset={{name: image_folder, root: {data}, normal: left}}", "outliers=[]",
            "metrics=[]", "train.epochs=0", "train.device=cpu",
        ]  # fmt: skip
        config = load_config(name)
        wide = {"wide_resnet": "widen_factor: 0.25"}.get(
            config.backbone.entry.name, "width: 0.0625"
        )
        small.append(f"backbone={{name: {config.backbone.entry.name}, {wide}}}")
        adframe.run(load_config(name, small), tmp_path / "run" / name)
        detector = adframe.load(tmp_path / "run" / name)
        path = tmp_path / f"{name.replace('/', '_')}.safetensors"
        detector.save(path)
        expected.append(f"{path} {detector.score(image).tobytes().hex()}")
    shutil.rmtree(data)
    shutil.rmtree(tmp_path / "run")
    files = [line.split()[0] for line in expected]
    done = subprocess.run([sys.executable, "-c", SCORE, image, *files],
                          cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.stdout.splitlines() == expected, done.stderr
    assert len({line.split()[1] for line in expected}) > len(METHODS) // 2, "scores are all alike"
