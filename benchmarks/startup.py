"""Time of commands that need no network, compared with ``import torch``.

Each command is a fresh process. Commands take turns, so a machine that becomes slower slows all of
them. Prints the median wall time of each and the ratio to ``import torch``. ``anomalib`` is
included if it is installed.

    python benchmarks/startup.py [--quick]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import torch": [sys.executable, "-c", "import torch"],
    "adframe --help": [sys.executable, "-m", "adframe.cli.main", "--help"],
    "adframe list": [sys.executable, "-m", "adframe.cli.main", "list"],
    "adframe plugins": [sys.executable, "-m", "adframe.cli.main", "plugins"],
}
if anomalib := shutil.which("anomalib"):
    COMMANDS["anomalib --help"] = [anomalib, "--help"]


def main() -> None:
    """Times the commands in turns and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 15")
    rounds = 3 if parser.parse_args().quick else 15
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(rounds + 1):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if turn:  # the first round only fills the caches
                seconds[name].append(time.perf_counter() - started)
    reference = statistics.median(seconds["import torch"])
    print(f"{'command':<18}{'median s':>10}{'times faster':>14}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:<18}{median:>10.3f}{reference / median:>14.1f}")


if __name__ == "__main__":
    main()
