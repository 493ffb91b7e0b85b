"""One process at a time in a run folder."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import adframe
from adframe.cli.main import main
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
        assert not locked
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
