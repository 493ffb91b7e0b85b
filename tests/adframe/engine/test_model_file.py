"""What a model may hold and which config it belongs to; runs that moved; more epochs."""

import json
import shutil

import pytest
import torch

import adframe
from adframe.cli.main import main
from adframe.config.identity import identity
from adframe.errors import UserError
from adframe.io.tensors import read_tensors, write_tensors


@pytest.fixture(scope="module")
def finished(toy_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "run"
    adframe.run(adframe.load_config(toy_file, ["train.epochs=1"]), out)
    return out


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def forge(run, change, name="model.safetensors"):
    """Write the tensors and facts of a file again, changed; its checksum is right."""
    tensors, facts = read_tensors(run / name)
    change(tensors, facts)
    write_tensors(run / name, tensors, facts)


def set_tensor(key, value):
    return lambda tensors, facts: tensors.update({key: value})


def drop_tensor(key):
    return lambda tensors, facts: tensors.pop(key)


def set_fact(key, value):
    return lambda tensors, facts: facts.update({key: value})


FORGERIES = {
    "an option": set_tensor("scorer/0/views", torch.tensor(10**9)),
    "a method": set_tensor("scorer/0/score", torch.tensor(1)),
    "a bank lost": drop_tensor("scorer/0/bank"),
    "a bank empty": set_tensor("scorer/0/bank", torch.empty(0)),
    "a bank of another type": set_tensor("scorer/0/bank", torch.zeros(8, dtype=torch.int64)),
    "a bank not finite": set_tensor("scorer/0/bank", None),
    "no list of what was learned": set_fact("learned", []),
    "a weight not finite": set_tensor("method/backbone.conv1.weight", None),
    "a size": set_fact("image_size", [3, 10**9, 10**9]),
    "no size": set_fact("image_size", []),
    "other scorers": set_fact("scorers", ["knn"]),
    "another config": lambda tensors, facts: facts["config"].update(seed=9),
}


@pytest.mark.parametrize("name", FORGERIES)
@pytest.mark.parametrize("command", ["score", "evaluate"])
def test_a_forged_model_is_one_line_and_status_2(run, shapes, capsys, name, command):
    def change(tensors, facts):
        FORGERIES[name](tensors, facts)
        for key in [key for key, value in tensors.items() if value is None]:
            like = read_tensors(run / "model.safetensors")[0][key]
            tensors[key] = like * float("nan")

    forge(run, change)
    before = (run / "model.safetensors").read_bytes()
    words = ["score", str(run), str(shapes / "dark")] if command == "score" else [command, str(run)]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(run) in line or "scorer" in line
    assert (run / "model.safetensors").read_bytes() == before


def test_an_edited_config_is_refused_and_a_moved_folder_is_not(run, shapes, tmp_path, capsys):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("seed: 0", "seed: 1"))
    image = str(shapes / "dark")
    assert main(["score", str(run), image]) == 2
    assert (
        "model.safetensors: was trained with another config: seed: 0 -> 1"
        in capsys.readouterr().err
    )
    assert main(["evaluate", str(run)]) == 2
    (run / "config.yaml").write_text(text.replace(str(shapes), "somewhere/else"))
    assert main(["score", str(run), image]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run)]) == 2
    assert "somewhere/else" in capsys.readouterr().err
    moved = tmp_path / "moved"
    shutil.copytree(shapes, moved)
    assert main(["evaluate", str(run), "--set", f"dataset.root={moved}"]) == 0
    assert main(["evaluate", str(run), "--set", "seed=3"]) == 2


def test_evaluate_keeps_the_fitted_scorers_and_refuses_changed_images(
    toy_file, shapes, tmp_path, capsys
):
    own = tmp_path / "images"
    shutil.copytree(shapes, own)
    out = tmp_path / "run"
    settings = ["train.epochs=1", f"dataset.root={own}"]
    adframe.run(adframe.load_config(toy_file, settings), out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert main(["evaluate", str(out)]) == 0
    for name in ("model.safetensors", "scores.csv"):
        assert (out / name).read_bytes() == before[name]
    images = sorted((own / "left").iterdir())
    for image in images:
        shutil.copy(shapes / "dark/00.png", image)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    capsys.readouterr()
    assert main(["evaluate", str(out)]) == 2
    assert "the training images have changed" in capsys.readouterr().err
    command = ["run", str(out / "config.yaml"), "--out", str(out), "--resume"]
    assert main(command) == 2
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_ways_of_working_are_no_part_of_the_identity(toy, shapes):
    plain = identity(toy())
    changed = toy(
        "train.device=cpu",
        "train.checkpoint_every=3",
        "dataset.workers=2",
        f"dataset.root={shapes}/../{shapes.name}",
    )
    assert identity(changed) == plain
    assert identity(toy("train.batch_size=5")) != plain
    assert json.dumps(plain)  # plain values only


def test_a_run_goes_on_with_other_ways_of_working(toy, tmp_path):
    whole = adframe.run(toy("train.epochs=2"), tmp_path / "whole")
    stop = toy("train.epochs=2", "train.checkpoint_every=1")

    class Killer:
        @adframe.hookimpl
        def adframe_epoch_end(self, run, epoch):
            if epoch == 2:
                raise KeyboardInterrupt

    stop.loaded.manager.register(Killer())
    with pytest.raises(KeyboardInterrupt):
        adframe.run(stop, tmp_path / "run")
    other = toy(
        "train.epochs=2", "train.checkpoint_every=0", "dataset.workers=1", "train.device=cpu"
    )
    resumed = adframe.run(other, tmp_path / "run", resume=True)
    assert resumed.auroc == whole.auroc
    assert (tmp_path / "run/scores.csv").read_bytes() == (
        tmp_path / "whole/scores.csv"
    ).read_bytes()


def test_a_finished_run_is_extended_and_never_shortened(toy, toy_file, tmp_path, capsys):
    adframe.run(toy("train.epochs=1"), tmp_path / "run")
    base = ["run", str(toy_file), "--out", str(tmp_path / "run"), "--set"]
    assert main([*base, "train.epochs=3", "--resume"]) == 2
    assert "train.epochs: 1 -> 3 (--extend adds epochs)" in capsys.readouterr().err
    assert main([*base, "train.epochs=3", "--extend"]) == 2
    assert main([*base, "train.epochs=3", "--resume", "--extend", "--set", "seed=4"]) == 2
    assert main([*base, "train.epochs=3", "--resume", "--extend"]) == 0
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    epochs = [json.loads(line)["epoch"] for line in lines]
    assert epochs == [1, 2, 3]
    assert json.loads((tmp_path / "run/result.json").read_text())["epochs"] == 3
    capsys.readouterr()
    assert main([*base, "train.epochs=2", "--resume", "--extend"]) == 2
    assert "has 3 epochs already" in capsys.readouterr().err
    assert main([*base, "train.epochs=3", "--resume", "--extend"]) == 0


def test_a_plugin_file_that_moved_is_named_again(toy_file, tmp_path, shapes, capsys):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from adframe import hookimpl\n\n\n@hookimpl\ndef adframe_register(add):\n    pass\n"
    )
    out = tmp_path / "run"
    command = ["run", str(toy_file), "--plugin", str(plugin), "--set", "train.epochs=1"]
    assert main([*command, "--out", str(out)]) == 0
    (tmp_path / "new").mkdir()
    moved = plugin.rename(tmp_path / "new/mine.py")
    image = str(shapes / "dark")
    capsys.readouterr()
    assert main(["score", str(out), image]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["score", str(out), image, "--plugin", str(moved)]) == 0
    assert main(["evaluate", str(out), "--plugin", str(moved)]) == 0


def test_an_optimizer_state_that_cannot_be_is_refused(toy, tmp_path):
    adframe.run(toy("train.epochs=1"), tmp_path / "run")
    path = tmp_path / "run"
    tensors = read_tensors(path / "state.safetensors")[0]
    key = next(key for key in tensors if key.startswith("optimizer/") and tensors[key].numel() > 1)
    for value in (tensors[key].flatten()[:2], tensors[key] * float("nan")):
        forge(path, set_tensor(key, value.contiguous()), "state.safetensors")
        with pytest.raises(UserError, match=r"state\.safetensors: does not fit the optimizer"):
            adframe.run(toy("train.epochs=1"), path, resume=True)
