"""Two processes on a CPU train what one process trains, and end together."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import torch

from adframe.io.tensors import read_tensors

pytestmark = pytest.mark.slow
STEP = 3  # of 4, after which a process gets a signal; a checkpoint is written after 2
PLUGIN = f"""
import os
from adframe import every_rank, hookimpl

@every_rank
@hookimpl
def adframe_update(run):
    if run.step + 1 == {STEP} and os.environ.get("RANK") == "1" and "SIGNAL" in os.environ:
        os.kill(os.getpid(), int(os.environ["SIGNAL"]))
"""


@pytest.fixture(scope="module")
def words(toy_file, tmp_path_factory):
    """The command but for the run folder: two epochs of two steps."""
    plugin = tmp_path_factory.mktemp("plugin") / "signals.py"
    plugin.write_text(PLUGIN)
    return "run", toy_file, "--plugin", plugin, "--out"


@pytest.fixture(scope="module")
def command(warm):
    """Runs adframe in some processes; returns status, output and errors of each."""

    def run(size: int, *words: object, **variables: object) -> list[tuple[int, str, str]]:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        known = {"WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        processes = [
            subprocess.Popen(
                [warm / "adframe", *map(str, words)],
                env={**os.environ, "OMP_NUM_THREADS": "1"} | {
                    name: str(value) for name, value in
                    {**known, "RANK": rank, "LOCAL_RANK": rank, **variables}.items()
                },
                text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for rank in range(size)
        ]  # fmt: skip
        found = [(process, *process.communicate(timeout=200)) for process in processes]
        return [(process.returncode, out, errors) for process, out, errors in found]

    return run


def first_losses(folder: Path) -> torch.Tensor:
    """The mean of each metric in the first epoch; later, rounding of float32 has grown."""
    values, _ = read_tensors(folder / "state.safetensors")
    return torch.stack([of[0] for name, of in values.items() if name.startswith("history/")])


@pytest.fixture(scope="module")
def alone(command, words, tmp_path_factory):
    """The folder of a run of one process."""
    out = tmp_path_factory.mktemp("one") / "run"
    ((status, _, errors),) = command(1, *words, out)
    assert status == 0, errors
    return out


@pytest.fixture(scope="module")
def together(command, words, tmp_path_factory):
    """The folder of a run of two processes, and how they ended."""
    out = tmp_path_factory.mktemp("two") / "run"
    return out, command(2, *words, out)


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


def test_a_run_whose_rank_was_killed_is_resumed(command, words, together, tmp_path):
    out = tmp_path / "run"
    (first, _, line), (second, *_) = command(2, *words, out, SIGNAL=int(signal.SIGKILL))
    assert (first, second) == (1, 256 - signal.SIGKILL)
    assert "another process of this run has ended; continue with: adframe run" in line
    assert "Traceback" not in line
    assert not (out / ".lock").exists()

    assert [status for status, *_ in command(2, *words, out, "--resume")] == [0, 0]
    for name in ("state.safetensors", "model.safetensors", "scores.csv"):
        assert (out / name).read_bytes() == (together[0] / name).read_bytes()


def test_sigterm_to_a_rank_ends_all_and_one_process_continues(command, words, alone, tmp_path):
    out = tmp_path / "run"
    (first, _, line), (second, _, silent) = command(2, *words, out, SIGNAL=int(signal.SIGTERM))
    assert (first, second, silent) == (143, 143, "")
    assert f"interrupted after step {STEP} of 4, and saved; continue with: adframe run" in line

    ((status, _, errors),) = command(1, *words, out, "--resume")
    assert status == 0, errors
    assert json.loads((out / "state.json").read_text())["step"] == 4
    torch.testing.assert_close(first_losses(out), first_losses(alone), rtol=1e-4, atol=1e-6)


def test_a_mistake_is_one_line_of_one_process(command, words, tmp_path):
    pair = command(2, *words, tmp_path / "run", "--set", "train.epoch=2")
    assert pair[0][0] == 2
    assert pair[1][0] != 0
    lines = [line for _, _, errors in pair for line in errors.splitlines()]
    assert len([line for line in lines if "did you mean 'epochs'" in line]) == 1
    assert "Traceback" not in "\n".join(lines)
    assert not (tmp_path / "run").exists()
