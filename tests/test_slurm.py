"""The SLURM scripts of the documentation, run with stand-ins for the commands of a cluster."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser

from adframe.cli.main import _parser

PAGE = Path(__file__).parents[1] / "docs/how-to/many-devices.md"
BLOCK = re.compile(r"```sh\n(#!/bin/sh\n#SBATCH.*?)```", re.DOTALL)
STANDINS = {
    "scontrol": 'test "$*" = "show hostnames node[3-4]" && printf "node3\\nnode4\\n"',
    "srun": 'for task in 1 2; do "$@"; done',  # a task on each machine
    "torchrun": "printf '%s\\n' torchrun \"$@\"",
    "adframe": "printf '%s\\n' adframe \"$@\"",
}
VARIABLES = {
    "SLURM_JOB_NODELIST": "node[3-4]", "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_ID": "17",
}  # fmt: skip


@pytest.fixture
def commands(tmp_path):
    """What a script starts: a list of words for each command."""
    for name, line in STANDINS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)

    def run(script):
        path = tmp_path / "run.sh"
        path.write_text(script)
        known = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **VARIABLES}
        done = subprocess.run(
            ["sh", "-eu", path], env=known, capture_output=True, text=True, check=True
        )
        found = []
        for word in done.stdout.splitlines():
            if word in ("torchrun", "adframe") and (not found or found[-1][-1:] != ["-m"]):
                found.append([])
            found[-1].append(word)
        return found

    return run


def test_one_run_on_several_machines(commands):
    script, _ = BLOCK.findall(PAGE.read_text())
    one, other = commands(script)
    assert one == other
    words = get_args_parser().parse_args(one[1:])
    assert (words.nnodes, words.nproc_per_node, words.rdzv_id) == ("2", "4", "17")
    assert words.rdzv_endpoint == "node3:29500"
    assert (words.module, words.training_script) == (True, "adframe")
    given = _parser().parse_args(words.training_script_args)
    assert given.resume
    assert "--signal=TERM@" in script  # to torchrun, which sends it to its processes


def test_an_array_of_runs(commands):
    _, script = BLOCK.findall(PAGE.read_text())
    ((_, *words),) = commands(script)
    given = _parser().parse_args(words)
    assert given.budget == "full"
    assert "--signal=B:TERM@" in script  # to the shell, which adframe replaces
    assert "exec adframe" in script
