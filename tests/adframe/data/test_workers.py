"""Worker processes: signals of the whole process group, and workers or runs that are killed."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from adframe.data import workers
from adframe.data.load import open_images
from adframe.errors import ProcessLost

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    noise = np.random.default_rng(0)
    found = [folder / f"{index:03d}.png" for index in range(40)]
    for path in found:
        Image.fromarray(noise.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return found


def children():
    """Numbers of the child processes of this process that run."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid() and state != "Z":
            found.append(int(name))
    return found


def order(count):
    return list(torch.arange(40).repeat(count).split(4))


def test_workers_take_no_signal_of_the_group_and_end_with_their_batches(paths):
    before = signal.getsignal(signal.SIGCHLD), set(children())
    images, _ = open_images(paths, workers=2)
    batches = images.batches(order(4))
    first = next(batches)
    started = set(children()) - before[1]
    assert len(started) == 2
    for number in started:
        os.kill(number, signal.SIGTERM)
        os.kill(number, signal.SIGINT)
    assert sum(1 for _ in batches) == 39
    assert (first == images[:4]).all()
    assert signal.getsignal(signal.SIGCHLD) is before[0]
    assert not started & set(children())


def test_a_killed_worker_is_one_error_between_two_batches(paths):
    images, _ = open_images(paths, workers=1)
    before = set(children())
    batches = images.batches(order(40))
    next(batches)
    (worker,) = set(children()) - before
    os.kill(worker, signal.SIGKILL)
    time.sleep(0.1)  # nothing is raised here, as torch's handler of SIGCHLD would
    with pytest.raises(ProcessLost, match="^a process that decodes images was killed"):
        list(batches)


def test_signals_wait_while_workers_start():
    held = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with workers._signals_held():
        assert {signal.SIGINT, signal.SIGTERM} <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == held


@pytest.mark.parametrize("at", ["start", "batch"])
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
        ConnectionResetError(104, "Connection reset by peer"),
        EOFError(),
    ],
)
def test_a_worker_may_be_killed_at_any_moment(at, error):
    class Loader:
        def __iter__(self):
            if at == "start":
                raise error
            return self

        def __next__(self):
            raise error

    with (
        pytest.raises(ProcessLost, match="a process that decodes images was killed"),
        workers.watched_workers(Loader()) as batches,
    ):
        next(batches)


# --- whole commands ------------------------------------------------------------------------------


@pytest.fixture
def start(toy_file, tmp_path):
    """Starts a long run with two workers in a process group of its own."""
    started = []

    def call(*words):
        def as_a_terminal_does():  # a shell's background job ignores Ctrl-C, and a child as well
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

        out = tmp_path / "run"
        settings = [f"--set={s}" for s in ("train.epochs=2000", "dataset.workers=2", *words)]
        process = subprocess.Popen(
            [sys.executable, "-m", "adframe", "run", toy_file, "--out", out, *settings],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, preexec_fn=as_a_terminal_does,
        )  # fmt: skip
        started.append(process)
        return process, out

    yield call
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def group(number):
    """Processes of a group that run, without its leader."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                state, _, of = file.read().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of) == number and state != "Z" and int(name) != number:
            found.append(int(name))
    return found


def until(condition, process):
    end = time.monotonic() + 60
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "after"), [(signal.SIGTERM, 0.0), (signal.SIGTERM, 0.1), (signal.SIGINT, 0.02)]
)
def test_a_signal_to_the_group_saves_the_run(start, number, after):
    process, out = start()
    until((out / "environment.json").exists, process)  # the data are read
    until(lambda: group(process.pid), process)  # a worker starts
    time.sleep(after)
    os.killpg(process.pid, number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + number, told
    line = told.splitlines()[-1]
    assert "interrupted after step" in line
    assert "and saved; continue with: adframe run" in line
    assert "Traceback" not in told
    assert json.loads((out / "state.json").read_text())["step"] >= 1
    assert not group(process.pid)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "after"), [(signal.SIGTERM, 0.5), (signal.SIGTERM, 1.5), (signal.SIGINT, 1.0)]
)
def test_a_signal_before_the_training_is_one_line(start, number, after):
    process, _ = start()
    time.sleep(after)
    os.killpg(process.pid, number)
    _, told = process.communicate(timeout=60)
    if process.returncode != -number:  # before adframe ran
        assert process.returncode == 128 + number, told
        assert "interrupted" in told.splitlines()[-1]
        assert "Traceback" not in told


@pytest.mark.slow
def test_a_killed_worker_is_one_line_and_the_run_is_saved(start):
    process, out = start()
    until((out / "environment.json").exists, process)
    while process.poll() is None:
        for worker in group(process.pid)[:1]:
            os.kill(worker, signal.SIGKILL)
        time.sleep(0.01)
    _, told = process.communicate()
    line = told.splitlines()[-1]
    assert process.returncode == 1, told
    assert "a process that decodes images was killed" in line
    assert "continue with: adframe" in line
    assert (out / "state.json").exists()
    assert "Traceback" not in told


@pytest.mark.slow
def test_workers_end_with_a_killed_run_and_write_nothing(start):
    process, out = start()
    until((out / "environment.json").exists, process)
    until(lambda: group(process.pid), process)
    time.sleep(0.2)
    process.kill()
    _, told = process.communicate(timeout=10)  # a worker that lives would hold the pipe open
    assert "Traceback" not in told
    end = time.monotonic() + 10
    while group(process.pid) and time.monotonic() < end:  # a process closes its files, then ends
        time.sleep(0.01)
    assert not group(process.pid)
