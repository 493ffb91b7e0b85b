"""Two processes on a CPU train what one process trains, and end together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from adframe.io.tensors import read_tensors

pytestmark = pytest.mark.slow
RUN = [sys.executable, "-m", "adframe", "run"]


def environment(rank: int, port: int) -> dict[str, str]:
    """What torchrun sets."""
    known = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
    return {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1",
            **{name: str(value) for name, value in known.items()}}  # fmt: skip


def start(*words: object) -> list[subprocess.Popen]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    return [
        subprocess.Popen(
            [*RUN, *map(str, words)],
            env=environment(rank, port), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]  # fmt: skip


def ended(processes: list[subprocess.Popen]) -> list[tuple[int, str, str]]:
    """Status, output and errors of each process."""
    found = [(process, *process.communicate(timeout=200)) for process in processes]
    return [(process.returncode, out, errors) for process, out, errors in found]


def first_losses(folder: Path) -> torch.Tensor:
    """The mean of each metric in the first epoch; later, rounding of float32 has grown."""
    values, _ = read_tensors(folder / "state.safetensors")
    return torch.stack([of[0] for name, of in values.items() if name.startswith("history/")])


EPOCHS = "train.epochs=6"  # of two steps


@pytest.fixture(scope="module")
def alone(toy_file, tmp_path_factory):
    """The folder of a run of one process."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("one") / "run"
    subprocess.run([*RUN, str(toy_file), "--out", str(out), "--set", EPOCHS],
                   check=True, capture_output=True,
                   env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
    return out


@pytest.fixture(scope="module")
def together(toy_file, tmp_path_factory):
    """The folder of a run of two processes, and how they ended."""
    out = tmp_path_factory.mktemp("two") / "run"
    return out, ended(start(toy_file, "--out", out, "--set", EPOCHS))


def test_two_ranks_write_what_one_process_writes(alone, together):
    out, pair = together
    assert [status for status, *_ in pair] == [0, 0], pair
    (_, shown, _), (_, silent, errors) = pair
    assert "nearest_cosine" in shown
    assert silent == ""
    assert "epoch" not in errors
    torch.testing.assert_close(first_losses(out), first_losses(alone), rtol=1e-4, atol=1e-6)
    one, two = (json.loads((run / "result.json").read_text()) for run in (alone, out))
    assert two["epochs"] == one["epochs"]
    assert sorted(p.name for p in alone.iterdir()) == sorted(p.name for p in out.iterdir())


def test_a_run_whose_rank_was_killed_is_resumed(together, toy_file, tmp_path):
    out, words = tmp_path / "run", (toy_file, "--out", tmp_path / "run", "--set", EPOCHS)
    pair = start(*words)
    while not (out / "state.json").exists():
        assert all(process.poll() is None for process in pair), ended(pair)
        time.sleep(0.02)
    pair[1].kill()
    (first, _, line), (second, *_) = ended(pair)
    assert (first, second) == (1, -signal.SIGKILL)
    assert "another process of this run has ended; continue with: adframe run" in line
    assert "Traceback" not in line
    assert not (out / ".lock").exists()

    assert [status for status, *_ in ended(start(*words, "--resume"))] == [0, 0]
    for name in ("state.safetensors", "model.safetensors", "scores.csv"):
        assert (out / name).read_bytes() == (together[0] / name).read_bytes()


def test_a_mistake_is_one_line_of_one_process(toy_file, tmp_path):
    pair = ended(start(toy_file, "--out", tmp_path / "run", "--set", "train.epoch=2"))
    assert pair[0][0] == 2
    assert pair[1][0] != 0
    lines = [line for _, _, errors in pair for line in errors.splitlines()]
    assert len([line for line in lines if "did you mean 'epochs'" in line]) == 1
    assert "Traceback" not in "\n".join(lines)
    assert not (tmp_path / "run").exists()
