"""Malicious configs and data give one-line errors; nothing is run or written."""

import errno
import os
import pickle
from pathlib import Path

import pytest
import torch

from adframe.cli.main import main


@pytest.mark.parametrize(("setting", "said"), [
    ("method={projection: 1000000000000000}", "method.projection: must be 1000000 or less"),
    ("method={projection: " + "9" * 98 + "}", "method.projection: must be 1000000 or less"),
    ("method={projection: " + "9" * 200 + "}", "not a number: 999"),
    ("backbone.width=1e300", "backbone.width: must be 8 or less"),
    ("optimizer.lr=1e999", "optimizer.lr: must be a finite number"),
    ("scorer.views=99999999999999999999", "scorer.views: must be 1000000 or less"),
    ("seed=9223372036854775808", "seed: must be below 9223372036854775808"),
    ("train.epochs=1e3", "train.epochs: must be a whole number"),
    ("train.batch_size=true", "train.batch_size: must be a whole number"),
    ("dataset=!!python/object/apply:os.system [ls]", "tag "),
    ("objective=[{loss: uniclr, stages: [99999999999999999999]}]", "a term has stage 9999"),
])  # fmt: skip
def test_numbers_and_types_that_make_no_sense(toy_file, tmp_path, capsys, setting, said):
    out = tmp_path / "run"
    assert main(["run", str(toy_file), "--out", str(out), "--set", setting]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not out.exists()


@pytest.mark.parametrize("device", ["xyz", "''", "meta", "cuda:99999999999999999999", "cuda:-1"])
def test_devices_there_are_not(toy_file, tmp_path, capsys, device):
    out = tmp_path / "run"
    setting = f"train.device={device}"
    assert main(["run", str(toy_file), "--out", str(out), "--set", setting]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"--set {setting}: train.device: ")
    assert not out.exists()


@pytest.mark.parametrize("error", [
    MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
])  # fmt: skip
def test_too_little_memory_is_a_line_and_status_1(toy_file, tmp_path, monkeypatch, capsys, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(torch.optim.SGD, "step", fail)
    assert main(["run", str(toy_file), "--out", str(tmp_path / "run")]) == 1
    assert capsys.readouterr().err == (
        "out of memory; try a smaller network, batch or image size\n"
    )


class Evil:
    """A pickle that leaves a mark when it is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def test_official_files_that_are_not_official_are_not_unpickled(tmp_path, capsys):
    folder, mark = tmp_path / "cifar-10-batches-py", tmp_path / "mark"
    folder.mkdir()
    names = ["batches.meta", "test_batch", *(f"data_batch_{n}" for n in range(1, 6))]
    for name in names:
        (folder / name).write_bytes(pickle.dumps(Evil(mark)))
    settings = [f"dataset={{name: cifar10, root: {tmp_path}, normal: cat}}", "train.epochs=1"]
    words = [word for setting in settings for word in ("--set", setting)]
    assert main(["run", "configs/quickstart.yaml", "--out", str(tmp_path / "run"), *words]) == 2
    assert "corrupted" in capsys.readouterr().err
    assert not mark.exists()
    pickle.loads((folder / names[0]).read_bytes()).close()
    assert mark.exists(), "unpickled, it would have left its mark"


def _read_only(path, *args, **options):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)


def test_a_folder_that_cannot_be_made_is_refused_before_training(
    toy_file, tmp_path, monkeypatch, capsys
):
    """Patched, since tests may run as a user who may write everywhere."""
    monkeypatch.setattr(torch.optim.SGD, "step", lambda *_: pytest.fail("it was trained"))
    monkeypatch.setattr(Path, "mkdir", _read_only)
    out = tmp_path / "run"
    assert main(["run", str(toy_file), "--out", str(out)]) == 2
    assert capsys.readouterr().err == f"{out}: cannot be written: Read-only file system\n"


def test_a_folder_that_cannot_be_written_is_refused_before_training(
    toy_file, tmp_path, monkeypatch, capsys
):
    open_file = os.open

    def read_only(path, flags, *args, **options):
        create = flags & os.O_CREAT and ".lock" not in str(path)
        return (_read_only if create else open_file)(path, flags, *args, **options)

    monkeypatch.setattr(torch.optim.SGD, "step", lambda *_: pytest.fail("it was trained"))
    monkeypatch.setattr(os, "open", read_only)
    out = tmp_path / "run"
    assert main(["run", str(toy_file), "--out", str(out)]) == 2
    said = f"{out / 'config.yaml'}: cannot be written: Read-only file system\n"
    assert capsys.readouterr().err == said
    assert not out.exists()
