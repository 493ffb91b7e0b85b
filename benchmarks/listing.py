"""The cost of 200 more components for `adframe list`, and a check that none is imported.

The components are real: 200 modules with one class each, in the package of the entry point that
registers them. Runs with and without them take turns. Prints the medians of the CPU time and their
difference. Other work on the machine changes CPU time less than the wall clock.

    python benchmarks/listing.py [--quick]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

COUNT = 200
MODULE = '''"""Module {number}."""

raise SystemExit("imported")


class Many(object):
    """Component number {number} of many."""

    def __init__(self, temperature: float = 0.5) -> None:
        self.temperature = temperature
'''


def install(root: Path) -> None:
    """Writes a distribution with many components below ``root``."""
    package, info = root / "many", root / "many-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    adds = [f'    add("loss", "many_{n}", ".part_{n}:Many")' for n in range(COUNT)]
    head = "from adframe import hookimpl\n\n\n@hookimpl\ndef adframe_register(add):\n"
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(head + "\n".join(adds) + "\n")
    for number in range(COUNT):
        (package / f"part_{number}.py").write_text(MODULE.format(number=number))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: many\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[adframe]\nmany = many.plugin\n")


def main() -> None:
    """Times both in turns and prints the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="5 rounds instead of 25")
    rounds = 5 if parser.parse_args().quick else 25
    command = [sys.executable, "-m", "adframe.cli.main", "list"]
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder))
        many = {**os.environ, "PYTHONPATH": folder}
        listed = subprocess.run(command, env=many, check=True, capture_output=True, text=True)
        assert listed.stdout.count("of many.") == COUNT, listed.stdout
        cost: dict[str, list[float]] = {"bundled": [], "and 200 more": []}
        for turn in range(rounds + 1):
            for name, environment in (("bundled", dict(os.environ)), ("and 200 more", many)):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                if turn:  # the first round only fills the caches
                    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                    cost[name].append(1000 * used)
    medians = {name: statistics.median(values) for name, values in cost.items()}
    for name, value in medians.items():
        print(f"adframe list, {name:<14}{value:>8.1f} ms of CPU")
    more = medians["and 200 more"] - medians["bundled"]
    print(f"{COUNT} components cost {more:.1f} ms, none imported")


if __name__ == "__main__":
    main()
