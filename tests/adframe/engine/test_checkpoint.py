"""Checkpoints that are damaged, malicious or of another model give one-line errors."""

import json
import shutil
import struct

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import adframe
from adframe.cli.main import main
from adframe.errors import UserError
from adframe.io.tensors import read_tensors, write_tensors


@pytest.fixture(scope="module")
def whole(toy_file, tmp_path_factory):
    """A finished run."""
    from adframe.config.model import load_config

    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("whole") / "run"
    adframe.run(load_config(toy_file, ["train.epochs=1"]), out)
    return out


@pytest.fixture
def run(whole, tmp_path):
    """A copy of it to do harm to."""
    return shutil.copytree(whole, tmp_path / "run")


def resume(run, capsys):
    status = main(["run", str(run / "config.yaml"), "--out", str(run), "--resume"])
    return status, capsys.readouterr().err.splitlines()


def score(run, shapes, capsys):
    status = main(["score", str(run), str(shapes / "dark/00.png")])
    return status, capsys.readouterr().err.splitlines()


def cut(data):
    return data[: len(data) // 2]


def flip_a_weight(data):
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


def flip_the_header(data):
    at = data.index(b'"F32"')
    return data[:at] + b'"I32"' + data[at + 5 :]


def grow_the_header(data):
    return struct.pack("<Q", 1 << 62) + data[8:]


def empty(data):
    return b""


def a_pickle(data):
    import pickle

    return pickle.dumps({"a": 1})


@pytest.mark.parametrize("harm", [
    cut, flip_a_weight, flip_the_header, grow_the_header, empty, a_pickle,
])  # fmt: skip
@pytest.mark.parametrize("name", ["state.safetensors", "model.safetensors"])
def test_a_damaged_checkpoint_is_named_in_one_line(run, shapes, capsys, name, harm):
    path = run / name
    path.write_bytes(harm(path.read_bytes()))
    before = {file.name: file.read_bytes() for file in run.iterdir()}
    status, lines = resume(run, capsys) if "state" in name else score(run, shapes, capsys)
    assert status == 2
    (line,) = lines
    assert line.startswith(f"{path}: damaged")
    after = {file.name: file.read_bytes() for file in run.iterdir()}
    assert {**after, "environment.json": b""} == {**before, "environment.json": b""}


def rewrite(path, change):
    """A file that is whole, and says something else."""
    tensors, facts = read_tensors(path)
    change(tensors, facts)
    write_tensors(path, tensors, facts)


def another_shape(tensors, facts):
    name = next(name for name in tensors if name.endswith("conv1.weight"))
    tensors[name] = tensors[name][:1]


def a_weight_less(tensors, facts):
    del tensors[next(name for name in tensors if name.endswith("conv1.weight"))]


def a_weight_more(tensors, facts):
    kind = next(name for name in tensors if name.endswith("conv1.weight")).partition("/")[0]
    tensors[f"{kind}/../../etc/passwd"] = torch.zeros(1)


def a_later_format(tensors, facts):
    facts["format"] = 99


@pytest.mark.parametrize(("change", "said"), [
    (another_shape, "does not fit the network of config.yaml: size mismatch for backbone.conv1"),
    (a_weight_less, "does not fit the network of config.yaml: Missing key"),
    (a_weight_more, "does not fit the network of config.yaml: Unexpected key"),
    (a_later_format, "format 99, but this adframe reads 4"),
])  # fmt: skip
@pytest.mark.parametrize("name", ["state.safetensors", "model.safetensors"])
def test_a_checkpoint_of_another_model_is_refused(run, shapes, capsys, name, change, said):
    rewrite(run / name, change)
    status, lines = resume(run, capsys) if "state" in name else score(run, shapes, capsys)
    assert status == 2
    (line,) = lines
    assert line.startswith(f"{run / name}: {said}")


@pytest.mark.parametrize("key", [
    "optimizer/main/0", "optimizer/../../0/momentum_buffer", "optimizer/main/x/momentum_buffer",
    "optimizer/main/999/momentum_buffer", "stranger",
])  # fmt: skip
def test_a_state_with_strange_names_is_refused(run, capsys, key):
    rewrite(run / "state.safetensors", lambda tensors, _: tensors.update({key: torch.zeros(1)}))
    status, (line,) = resume(run, capsys)
    assert status == 2
    problem = "damaged" if key == "stranger" else "does not fit the optimizer of config.yaml"
    assert line.startswith(f"{run}/state.safetensors: {problem}: ")


@pytest.mark.parametrize("name", ["fit", "__class__", "view_spec", "a b"])
def test_a_model_cannot_replace_what_a_scorer_does(run, shapes, capsys, name):
    change = {f"scorer/0/{name}": torch.zeros(1)}
    rewrite(run / "model.safetensors", lambda tensors, _: tensors.update(change))
    status, (line,) = score(run, shapes, capsys)
    assert status == 2
    assert f"'{name}' is not part of the state of this scorer" in line


def test_a_model_of_another_scorer_is_refused(run, shapes, capsys):
    rewrite(run / "model.safetensors", lambda _, facts: facts.update(scorers=["other"]))
    status, (line,) = score(run, shapes, capsys)
    assert status == 2
    assert "has scorers ['other'], config.yaml has ['nearest_cosine']" in line


@pytest.mark.parametrize("key", ["image_size", "classes", "epochs"])
def test_a_model_that_does_not_say_what_it_must_is_refused(run, shapes, capsys, key):
    rewrite(run / "model.safetensors", lambda _, facts: facts.pop(key))
    assert score(run, shapes, capsys) == (
        2,
        [f"{run}/model.safetensors: damaged: {key} is missing"],
    )


@pytest.mark.parametrize("sums", [None, [1], {"loss": "much"}])
def test_a_state_with_strange_sums_is_refused(run, capsys, sums):
    rewrite(run / "state.safetensors", lambda _, facts: facts.update(sums=sums))
    status, (line,) = resume(run, capsys)
    assert status == 2
    assert line.startswith(f"{run}/state.safetensors: damaged: ")


def test_a_state_of_another_run_is_refused(run, toy, tmp_path, capsys):
    adframe.run(toy("seed=5", "train.epochs=1"), tmp_path / "other")
    shutil.copy(tmp_path / "other/state.safetensors", run)
    status, (line,) = resume(run, capsys)
    assert status == 2
    assert line.startswith(f"{run}/state.safetensors: the run was trained with another config")


def test_a_state_for_people_may_say_anything(run, capsys):
    (run / "state.json").write_text("{not json")
    assert resume(run, capsys)[0] == 0
    assert json.loads((run / "state.json").read_text())["step"] == 2


def test_the_formats_are_what_is_documented(whole):
    """No pickle; the SHA-256 in ``state.json`` is that of the file, as ``sha256sum`` prints it."""
    import hashlib

    said = json.loads((whole / "state.json").read_text())
    data = (whole / "state.safetensors").read_bytes()
    assert said["sha256"] == {"state.safetensors": hashlib.sha256(data).hexdigest()}
    assert {"format", "config", "images", "epoch", "step", "seconds"} <= said.keys()
    assert load_file(whole / "model.safetensors")
    for path in whole.iterdir():
        assert not path.read_bytes().startswith(b"\x80"), "that would be a pickle"
    with safe_open(whole / "model.safetensors", framework="pt") as file:
        assert set(file.metadata()) == {"adframe"}


def test_a_strangers_safetensors_is_refused(run, shapes, capsys):
    save_file({"a": torch.zeros(1)}, run / "model.safetensors")
    status, (line,) = score(run, shapes, capsys)
    assert status == 2
    assert line.startswith(f"{run}/model.safetensors: not written by adframe")


# --- evaluate --verify --------------------------------------------------------------------------


def test_verify_finds_what_was_stored_and_writes_nothing(run, capsys):
    before = {file.name: file.read_bytes() for file in run.iterdir()}
    assert main(["evaluate", str(run), "--verify"]) == 0
    assert capsys.readouterr().out == f"{run}: scored again, every score is the stored one\n"
    assert {file.name: file.read_bytes() for file in run.iterdir()} == before


def _edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_verify_tells_what_differs(run, capsys):
    def verify():
        status = main(["evaluate", str(run), "--verify"])
        return status, capsys.readouterr().err.strip()

    scores, result = run / "scores.csv", run / "result.json"
    stored, lines = scores.read_text(), scores.read_text().splitlines()
    path, _, value, _ = lines[3].split(",")
    scores.write_text(stored.replace(value, str(float(value) + 0.25)))
    status, said = verify()
    assert status == 1
    assert said == (
        f"{scores}: 1 of {len(lines) - 1} images have a different score; "
        f"the largest difference is 0.25, for {path}"
    )
    scores.write_text(stored.replace(value, "many"))
    assert verify()[0] == 2
    scores.write_text("\n".join(lines[:-1]) + "\n")
    assert verify() == (1, f"{scores}: does not list the test images of the run")
    scores.unlink()
    assert verify()[0] == 2
    scores.write_text(stored)
    _edit(result, '"auroc"', '"auroc": {}, "was"')
    assert verify() == (1, f"{result}: auroc does not match the scores")


def test_verify_of_a_run_that_is_not_finished(run):
    from adframe.engine.verify import verify

    (run / "model.safetensors").unlink()
    with pytest.raises(UserError, match="is not finished"):
        verify(run)
