"""One process at a time in a run folder."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

import adframe
from adframe.cli.commands.run import next_folder
from adframe.cli.main import main
from adframe.engine import model_file
from adframe.errors import UserError
from adframe.io.locks import LOCK, lock_folder

HOLD = """
import sys, time
from pathlib import Path
from adframe.io.locks import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""

TURNS = """
import sys
from pathlib import Path
from adframe.io.locks import lock_folder
out, mark = Path(sys.argv[1]), Path(sys.argv[1]) / "mark"
for _ in range(int(sys.argv[2])):
    with lock_folder(out, lambda: None):
        mark.touch(exist_ok=False)
        mark.unlink()
"""


def test_a_lock_held_by_another_process_refuses_and_ends_with_it(tmp_path, toy_file, capsys):
    out = tmp_path / "run"
    out.mkdir()
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"held\n"
        for command in (["run", str(toy_file), "--out", str(out)], ["evaluate", str(out)]):
            assert main(command) == 2
            assert capsys.readouterr().err == f"{out}: another process is using this folder\n"
        assert list(out.iterdir()) == [out / LOCK]
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        with lock_folder(out):
            pass
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    assert list(out.iterdir()) == [], "nothing is left behind"


def test_two_runs_of_one_process_are_kept_apart_too(toy, tmp_path):
    with (
        lock_folder(tmp_path),
        pytest.raises(UserError, match="another process is using this folder"),
    ):
        adframe.run(toy(), tmp_path)
    with lock_folder(tmp_path), lock_folder(tmp_path / "other"):
        pass


def test_folders_made_in_vain_are_taken_away(tmp_path):
    with pytest.raises(RuntimeError), lock_folder(tmp_path / "a/b/c"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with lock_folder(tmp_path / "a/b"):
        (tmp_path / "a/b/file").write_text("x")
    assert (tmp_path / "a/b/file").exists()
    with lock_folder(None):
        pass


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(UserError, match=r"file.*: cannot be written: "), lock_folder(path):
            pass
    assert (tmp_path / "file").read_text() == "x"


def test_a_file_system_without_locks_is_used_without(tmp_path, monkeypatch):
    import fcntl

    def unable(descriptor, operation):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unable)
    with lock_folder(tmp_path) as locked:
        assert not locked.held
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_a_killed_process_left_is_no_hindrance(toy, tmp_path):
    (tmp_path / LOCK).touch()
    adframe.run(toy("train.epochs=1"), tmp_path)
    assert (tmp_path / "result.json").exists()
    assert not (tmp_path / LOCK).exists()


def test_of_many_processes_one_at_a_time_holds_a_folder(tmp_path):
    """Removing the lock file at the end lets no two of them in."""
    out, turns = tmp_path / "run", 60
    others = [subprocess.Popen([sys.executable, "-c", TURNS, str(out), str(turns)]) for _ in "abc"]
    assert [other.wait(120) for other in others] == [0, 0, 0]
    assert list(out.iterdir()) == []


def test_a_thread_that_waits_says_so_once_and_gets_its_turn(tmp_path):
    waits = []
    held, go_on = threading.Event(), threading.Event()

    def hold():
        with lock_folder(tmp_path):
            held.set()
            assert go_on.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    with lock_folder(tmp_path, lambda: (waits.append(1), go_on.set())) as locked:
        assert locked
    thread.join()
    assert waits == [1]


WITHOUT_UNIX = """
import os, sys, torch, torchvision, sklearn.metrics  # they ask for the name of the system
for name in [name for name in sys.modules if name.partition(".")[0] == "filelock"]:
    del sys.modules[name]
sys.modules["fcntl"] = None
for name in ("fork", "register_at_fork", "sysconf", "sched_getaffinity", "O_DIRECTORY"):
    delattr(os, name)
import adframe.detector, adframe.engine.runner
from adframe.engine import model_file
from adframe.errors import UserError
from adframe.io.locks import Path, lock_folder
with lock_folder(Path(sys.argv[1])) as locked:
    assert locked
    try:
        with lock_folder(Path(sys.argv[1])):
            pass
    except UserError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_system_without_fcntl_has_locks_too(tmp_path):
    command = [sys.executable, "-c", WITHOUT_UNIX, str(tmp_path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said == f"{tmp_path}: another process is using this folder\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_a_run_forks_does_not_hold_its_folder(tmp_path):
    """As one that decodes images, and lives on for a moment when the run is killed."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    child = fork.Process(target=lambda: (there.send("at work"), time.sleep(600)))
    with lock_folder(tmp_path / "run"):
        child.start()
        assert here.recv() == "at work"
    try:
        with lock_folder(tmp_path / "run"):
            assert child.is_alive()
    finally:
        child.kill()
        child.join()


NAMES = ["config.yaml", "environment.json", "metrics.jsonl", "model.safetensors", "result.json",
         "scores.csv", "state.json", "state.safetensors", LOCK]  # fmt: skip
COMMANDS = {
    "evaluate": ["evaluate", "run"],
    "verify": ["evaluate", "run", "--verify"],
    "score": ["score", "run", "photo.png"],
    "resume": ["run", "run/config.yaml", "--out", "run", "--resume"],
    "again": ["run", "run/config.yaml", "--out", "run"],
}


@pytest.fixture(scope="module")
def finished(toy_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    adframe.run(adframe.load_config(toy_file, ["train.epochs=1"]), folder / "run")
    Image.new("RGB", (8, 8)).save(folder / "photo.png")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_link_at_any_name_of_a_run_folder_leads_to_no_write_and_no_read(
    finished, tmp_path, monkeypatch, capsys, name, command
):
    shutil.copytree(finished, tmp_path / "work")
    target = tmp_path / "target"
    planted = tmp_path / "work/run" / name
    data = planted.read_bytes() if planted.exists() else b"keep"
    target.write_bytes(data)
    planted.unlink(missing_ok=True)
    planted.symlink_to(target)
    monkeypatch.chdir(tmp_path / "work")
    assert main(COMMANDS[command]) in ((0, 2) if name == LOCK else (2,))
    assert capsys.readouterr().err.count("\n") <= 1
    assert target.read_bytes() == data
    assert planted.is_symlink()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["config.yaml", "state.json", "result.json", "metrics.jsonl"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_device_in_a_run_folder_is_refused_at_once(
    finished, tmp_path, monkeypatch, capsys, name, command, kind
):
    shutil.copytree(finished, tmp_path / "work")
    planted = tmp_path / "work/run" / name
    planted.unlink()
    if kind == "pipe":
        os.mkfifo(planted)
    else:
        planted.symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path / "work")
    assert main(COMMANDS[command]) == 2
    said = capsys.readouterr().err.splitlines()
    assert all(name in line for line in said)
    assert len(said) == 1 or (kind, name) == ("pipe", "config.yaml"), "an empty config lacks keys"


WHAT = {"pipe": "a pipe", "device": "a link", "loop": "a link", "folder": "a folder"}


@pytest.mark.parametrize("command", ["score", "evaluate"])
@pytest.mark.parametrize("kind", list(WHAT))
@pytest.mark.parametrize("name", ["config.yaml", "scores.csv", "result.json", "metrics.jsonl"])
def test_what_lies_at_the_name_of_a_file_is_told_before_anything_is_scored(
    finished, tmp_path, monkeypatch, capsys, plant, name, command, kind
):
    shutil.copytree(finished, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(model_file, "restore_model", None)  # scoring would call it
    Path("run", name).unlink()
    plant(Path("run", name), kind)
    assert main(COMMANDS[command]) == 2
    expected = f"run/{name}: is {WHAT[kind]}; a run folder has only files there\n"
    assert capsys.readouterr().err == expected


def test_a_folder_of_a_plugin_may_lie_in_a_run_folder(finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "work")
    (tmp_path / "work/run/events").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert main(COMMANDS["evaluate"]) == 0


@pytest.mark.parametrize("command", ["score", "evaluate"])
def test_a_variable_in_the_config_of_a_run_folder_is_written_nowhere(
    finished, tmp_path, monkeypatch, command
):
    shutil.copytree(finished, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("OF_THE_USER", str(tmp_path / "secret-4711"))
    config = Path("run/config.yaml")
    assert config.read_text().count("cache: null") == 1
    config.write_text(config.read_text().replace("cache: null", "cache: ${OF_THE_USER}"))
    assert main(COMMANDS[command]) == 0
    assert (tmp_path / "secret-4711").exists() == (command != "score"), "the variable is read"
    for path in Path("run").iterdir():
        assert b"secret-4711" not in path.read_bytes()


def test_a_run_whose_folder_is_moved_and_replaced_writes_nothing_more(toy, tmp_path):
    out, moved = tmp_path / "run", tmp_path / "moved"

    class Mover:
        @adframe.hookimpl
        def adframe_epoch_end(self, run, epoch):
            if epoch == 1:
                out.rename(moved)
                out.mkdir()
                (out / "other").write_text("of another run")

    config = toy("train.epochs=3", "train.checkpoint_every=1")
    config.loaded.manager.register(Mover())
    with pytest.raises(UserError, match="run: was moved or replaced while this process used it"):
        adframe.run(config, out)
    assert [path.name for path in out.iterdir()] == ["other"]
    assert not (moved / "result.json").exists()


def test_a_run_removes_what_killed_writers_left(toy, tmp_path):
    (tmp_path / f".config.yaml.{'0' * 32}.part").write_text("half")
    adframe.run(toy("train.epochs=1"), tmp_path)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_runs_without_out_take_the_next_free_number(toy_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/toy-1").write_text("a file")
    start = threading.Barrier(4)

    def take(_):
        start.wait()
        return next_folder("toy").name

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(take, range(4)))
    assert sorted(taken) == ["toy-2", "toy-3", "toy-4", "toy-5"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", ["dangling", "to a folder", "device"])
def test_whatever_is_planted_at_a_name_is_refused_and_left_alone(
    finished, tmp_path, monkeypatch, capsys, command, kind
):
    shutil.copytree(finished, tmp_path / "work")
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    read = ["config.yaml", "model.safetensors"]
    for name in read if command == "score" else [*read, "result.json", "scores.csv"]:
        planted, aside = tmp_path / "work/run" / name, tmp_path / "aside"
        planted.rename(aside)
        targets = {"dangling": "../../home/new", "to a folder": "../../home"}
        planted.symlink_to(targets.get(kind, "/dev/zero"))
        before = {path.name: os.lstat(path).st_mtime_ns for path in Path("run").iterdir()}
        assert main(COMMANDS[command]) == 2, name
        assert capsys.readouterr().err.count("\n") == 1
        assert {path.name: os.lstat(path).st_mtime_ns for path in Path("run").iterdir()} == before
        planted.unlink()
        aside.rename(planted)
    assert os.listdir(tmp_path / "home") == []


def test_files_and_folders_of_the_user_are_left_alone(tmp_path):
    (tmp_path / "plots").mkdir()
    mine = [tmp_path / name for name in ("notes.txt", "notes.part", "plots/x", ".mine.part")]
    for path in mine:
        path.write_text("mine")
    with lock_folder(tmp_path):
        pass
    assert [path.read_text() for path in mine] == ["mine"] * 4
    assert len(list(tmp_path.iterdir())) == 4


def test_a_run_whose_folder_another_run_takes_ends_and_the_other_is_whole(toy, tmp_path, finished):
    out, moved, other = tmp_path / "run", tmp_path / "moved", toy("train.epochs=1")
    taken = threading.Event()

    class Mover:
        @adframe.hookimpl
        def adframe_epoch_end(self, run, epoch):
            if not taken.is_set():
                taken.set()
                out.rename(moved)
                with ThreadPoolExecutor() as pool:
                    pool.submit(adframe.run, other, out).result()

    config = toy("train.epochs=2")
    config.loaded.manager.register(Mover())
    with pytest.raises(UserError, match="run: was moved or replaced"):
        adframe.run(config, out)
    whole = finished / "run/scores.csv"
    assert (out / "scores.csv").read_text() == whole.read_text()
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 1
    assert not (moved / "result.json").exists()
