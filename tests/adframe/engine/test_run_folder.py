"""One process at a time in a run folder."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

import adframe
from adframe.cli.main import main
from adframe.errors import UserError
from adframe.io.locks import lock_folder

HOLD = """
import sys, time
from pathlib import Path
from adframe.io.locks import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_held_by_another_process_refuses_and_ends_with_it(tmp_path, toy_file, capsys):
    out = tmp_path / "run"
    out.mkdir()
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"held\n"
        for command in (["run", str(toy_file), "--out", str(out)], ["evaluate", str(out)]):
            assert main(command) == 2
            assert capsys.readouterr().err == f"{out}: another process is at work in it\n"
        assert list(out.iterdir()) == []
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
    with lock_folder(tmp_path), pytest.raises(UserError, match="another process is at work"):
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
        with pytest.raises(UserError, match=r"file.*: cannot be made: "), lock_folder(path):
            pass
    assert (tmp_path / "file").read_text() == "x"


def test_a_file_system_without_locks_is_used_without(tmp_path, monkeypatch):
    import fcntl

    def unable(descriptor, operation):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unable)
    with lock_folder(tmp_path):
        pass


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
