"""Time of commands that train nothing, compared with ``import torch``.

Each command is a fresh process. Commands take turns, so a machine that becomes slower slows all of
them. Prints the median seconds of processors of each, and the ratio to ``import torch``. Modules
are compiled in a first round, as ``pip`` compiles them. ``wrong name``, ``wrong key`` and ``wrong
option`` are refused configs. ``anomalib`` is included if it is installed.

    python benchmarks/startup.py [--quick]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

CHECK = [sys.executable, "-m", "adframe.cli.main", "check", "quickstart", "--set"]
COMMANDS = {
    "import torch": [sys.executable, "-c", "import torch"],
    "adframe --help": [sys.executable, "-m", "adframe.cli.main", "--help"],
    "adframe list": [sys.executable, "-m", "adframe.cli.main", "list"],
    "adframe plugins": [sys.executable, "-m", "adframe.cli.main", "plugins"],
    "adframe check": [sys.executable, "-m", "adframe.cli.main", "check", "quickstart"],
    "adframe show": [sys.executable, "-m", "adframe.cli.main", "show", "scorer", "knn"],
    "adframe schema": [sys.executable, "-m", "adframe.cli.main", "schema"],
    "wrong name": [*CHECK, "backbone=resnet19"],
    "wrong key": [*CHECK, "train.epoch=3"],
    "wrong option": [*CHECK, "scorer={name: knn, kk: 3}"],
}  # fmt: skip
if anomalib := shutil.which("anomalib"):
    COMMANDS["anomalib --help"] = [anomalib, "--help"]


def main() -> None:
    """Times the commands in turns and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 15")
    rounds = 3 if parser.parse_args().quick else 15
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for turn in range(rounds + 1):
            for name, command in COMMANDS.items():
                taken = cpu_seconds(command, environment, 2 if name.startswith("wrong") else 0)
                if turn:  # the first round only fills the caches
                    seconds[name].append(taken)
    reference = statistics.median(seconds["import torch"])
    print(f"{'command':<28}{'median CPU s':>13}{'of import torch':>16}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:<28}{median:>13.3f}{median / reference:>16.2f}")


def cpu_seconds(command: list[str], environment: dict[str, str], status: int = 0) -> float:
    """Seconds of processors that a command takes, threads and system calls included."""
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, env=environment)
    _, ended, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(ended)
    assert process.returncode == status, command
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
