"""Runs that were killed, stopped or disturbed continue with the same results."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

import adframe
from adframe.cli.main import main
from adframe.engine import checkpoint, interrupt
from adframe.engine.interrupt import Stop
from adframe.errors import Stopped, UserError
from adframe.io.tensors import read_tensors

ROOT = Path(__file__).parents[3]


def content(folder):
    """What is in a run folder, less the times it says it took."""
    held = {}
    for path in folder.iterdir():
        if path.suffix in (".json", ".jsonl"):
            texts = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
            held[path.name] = [{**json.loads(text), "seconds": 0} for text in texts]
        else:
            held[path.name] = path.read_bytes()
    return held


@pytest.mark.slow
def test_a_run_killed_at_any_moment_goes_on_as_if_it_had_not_been():
    """Eight SIGKILLs over several runs; the script says which, by their seeds."""
    command = [sys.executable, str(ROOT / "benchmarks/kill.py"), "--kills", "8", "--seed", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kills = int(done.stdout.splitlines()[-1].split()[0])
    assert kills >= 8, done.stdout


@pytest.fixture(scope="module")
def whole(toy_file, tmp_path_factory):
    """The folder of a run that nothing disturbs: two epochs of two steps."""
    from adframe.config.model import load_config

    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("whole") / "run"
    adframe.run(load_config(toy_file), out)
    return out


def test_the_same_config_and_seed_make_the_same_files(toy, whole, tmp_path):
    adframe.run(toy(), tmp_path / "run")
    assert content(tmp_path / "run") == content(whole)


class Signal:
    """Sends this process a signal in the middle of a step, as the terminal would."""

    def __init__(self, number, step, times=1):
        self.number, self.step, self.times = number, step, times

    def attach(self, monkeypatch):
        step, calls = torch.optim.SGD.step, []

        def signalled(optimizer, *args):
            calls.append(1)
            if len(calls) == self.step:
                for _ in range(self.times):
                    signal.raise_signal(self.number)
            return step(optimizer, *args)

        monkeypatch.setattr(torch.optim.SGD, "step", signalled)


@pytest.mark.parametrize(("number", "step", "status"), [
    (signal.SIGTERM, 3, 143), (signal.SIGINT, 2, 130), (signal.SIGINT, 4, 130),
])  # fmt: skip
def test_a_signal_lets_the_step_finish_and_saves(
    toy_file, whole, tmp_path, monkeypatch, capsys, number, step, status
):
    out = tmp_path / "run"
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        Signal(number, step).attach(patch)
        assert main(["run", str(toy_file), "--out", str(out)]) == status
    *epochs, line = capsys.readouterr().err.splitlines()
    assert [text[:6] for text in epochs] == ["epoch "] * ((step - 1) // 2)
    assert line == (
        f"interrupted after step {step} of 4, and saved; "
        f"continue with: adframe run {out}/config.yaml --out {out} --resume"
    )
    assert json.loads((out / "state.json").read_text())["step"] == step
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    command = line.partition("continue with: adframe ")[2].split()
    assert main(command) == 0
    assert content(out) == content(whole)


def test_a_signal_that_comes_twice_is_one(toy_file, tmp_path, monkeypatch, capsys):
    Signal(signal.SIGTERM, 3, times=2).attach(monkeypatch)
    monkeypatch.setattr(interrupt, "SAME", math.inf)
    assert main(["run", str(toy_file), "--out", str(tmp_path / "run")]) == 143
    assert "interrupted after step 3 of 4, and saved" in capsys.readouterr().err


def test_a_second_signal_does_not_wait(toy_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(interrupt, "SAME", 0.0)
    Signal(signal.SIGINT, 3, times=2).attach(monkeypatch)
    out = tmp_path / "run"
    assert main(["run", str(toy_file), "--out", str(out)]) == 130
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("interrupted; continue with: adframe run")
    assert json.loads((out / "state.json").read_text())["step"] == 2  # of the epoch before
    assert not list(out.glob("*.part"))


def test_a_signal_while_a_file_is_written_leaves_the_old_one(tmp_path, monkeypatch):
    from adframe.io import atomic

    atomic.write(tmp_path / "file", "old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: signal.raise_signal(signal.SIGTERM))
    with Stop().watching(), pytest.raises(Stopped) as caught:
        atomic.write(tmp_path / "file", "new")
    assert caught.value.status == 143
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_signals_that_are_ignored_stay_so_and_threads_get_none():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stop().watching():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    failed = []

    def in_a_thread():
        try:
            with Stop().watching():
                pass
        except ValueError as error:
            failed.append(error)

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    assert not failed


ADAM = """
import torch
from adframe import hookimpl
from adframe.interfaces import Optimizer

class Adam(Optimizer):
    '''Has more state than a momentum: two sums for each weight, and a count.'''
    def build(self, parameters):
        return torch.optim.AdamW(parameters, lr=1e-3, amsgrad=True)

@hookimpl
def adframe_register(add):
    add("optimizer", "adam_of_a_test", Adam)
"""


@pytest.mark.parametrize(
    ("name", "kind"), [("adam_of_a_test", torch.optim.AdamW), ("adam", torch.optim.Adam)]
)
def test_the_state_of_any_optimizer_is_taken_up(toy, tmp_path, monkeypatch, name, kind):
    plugin = tmp_path / "adam.py"
    plugin.write_text(ADAM)
    config = lambda: toy(f"optimizer={name}", plugins=[plugin])  # noqa: E731
    adframe.run(config(), tmp_path / "whole")
    step, calls = kind.step, []

    def signalled(optimizer, *args):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGTERM)
        return step(optimizer, *args)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "step", signalled)
        with pytest.raises(Stopped, match="interrupted after step 3 of 4, and saved"):
            adframe.run(config(), tmp_path / "run")
    adframe.run(config(), tmp_path / "run", resume=True)
    assert content(tmp_path / "run") == content(tmp_path / "whole")


FILES = [
    "config.yaml", "origins.yaml", "environment.json", "metrics.jsonl", "state.safetensors",
    "state.json", "model.safetensors", "training.csv", "scores.csv", "result.json",
]  # fmt: skip


@pytest.fixture(scope="module")
def short(toy_file):
    """Loads the config of a run of one epoch, in which each file is written once."""
    from adframe.config.model import load_config

    settings = ["train.epochs=1", "shifts=[{name: rotation, angles: [180]}]"]
    return lambda: load_config(toy_file, settings)


@pytest.fixture(scope="module")
def whole_short(short, tmp_path_factory):
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("short") / "run"
    adframe.run(short(), out)
    assert {path.name for path in out.iterdir()} == set(FILES)
    return out


def _full_disk(patch, name):
    """Let the disk be full when a file of that name is synced."""
    fsync = os.fsync

    def full(descriptor):
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.name == name or path.name.startswith(f".{name}."):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    patch.setattr(os, "fsync", full)


def _failed_rename(patch, name):
    replace = Path.replace

    def fail(path, target):
        if Path(target).name == name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return replace(path, target)

    patch.setattr(Path, "replace", fail)


@pytest.mark.parametrize(
    ("break_it", "name"),
    [(_full_disk, name) for name in FILES]
    + [(_failed_rename, name) for name in ("config.yaml", "state.safetensors", "result.json")],
)
def test_a_write_that_fails_is_said_and_the_run_goes_on(
    short, whole_short, tmp_path, monkeypatch, break_it, name
):
    out = tmp_path / "deep/run"
    with monkeypatch.context() as patch:
        break_it(patch, name)
        with pytest.raises(UserError) as said:
            adframe.run(short(), out)
    reason = "No space left on device" if break_it is _full_disk else "Input/output error"
    assert str(said.value) == f"{out / name}: cannot be written: {reason}"
    if name == "config.yaml":
        assert not out.parent.exists()
    else:
        assert not list(out.glob(".*.part"))
        assert not (out / "result.json").exists()
    adframe.run(short(), out, resume=True)
    assert content(out) == content(whole_short)


def test_a_failed_checkpoint_leaves_the_one_before(toy, tmp_path, monkeypatch):
    from adframe.io import atomic

    saves, write = [], atomic.write

    def second_fails(path, data):
        saves.extend([path] * (path.name == "state.safetensors"))
        with monkeypatch.context() as patch:
            if len(saves) == 2:
                _failed_rename(patch, "state.safetensors")
            write(path, data)

    monkeypatch.setattr(atomic, "write", second_fails)
    with pytest.raises(UserError, match=r"state\.safetensors: cannot be written"):
        adframe.run(toy(), tmp_path / "run")
    assert read_tensors(tmp_path / "run/state.safetensors")[1]["step"] == 2


def test_resume_refuses_other_images(toy, toy_file, shapes, tmp_path):
    import shutil

    own = tmp_path / "shapes"
    shutil.copytree(shapes, own)
    config = lambda: toy(f"dataset.root={own}", "train.epochs=1")  # noqa: E731
    adframe.run(config(), tmp_path / "run")
    for image in (own / "left").iterdir():
        shutil.copy(shapes / "dark/00.png", image)
    with pytest.raises(UserError, match=r"state\.safetensors: the run was trained on other images"):
        adframe.run(config(), tmp_path / "run", resume=True)


def test_a_checkpoint_is_due_after_some_minutes(toy, tmp_path, monkeypatch):
    """Time goes by a minute a look; steps 2 and 4 are the first after two minutes and four."""
    from adframe.engine import checkpointing

    minutes = iter(range(1_000))
    monkeypatch.setattr(checkpointing.time, "monotonic", lambda: 60.0 * next(minutes))
    saved, save = [], checkpoint.save_state
    monkeypatch.setattr(
        checkpoint, "save_state", lambda run, *rest: (saved.append(run.step), save(run, *rest))
    )
    adframe.run(toy("train.checkpoint_every=2min", "train.epochs=3"), tmp_path / "run")
    assert saved[-1] == 6
    assert any(step % 2 for step in saved), "one is in the middle of an epoch"


@pytest.mark.parametrize("value", ["-1", "1.5h", "0min", "ten", "true", "[1]", "null"])
def test_what_is_no_time_is_refused(toy_file, value):
    from adframe.config.model import load_config
    from adframe.errors import ConfigError

    with pytest.raises(ConfigError, match=r"train.checkpoint_every: must be ") as caught:
        load_config(toy_file, [f"train.checkpoint_every={value}"])
    assert len(caught.value.problems) == 1
