"""What the benchmarks share: contenders in turns, CPU seconds, peak memory, small tables.

Contenders of one process take turns, and each is given its best round: other work on the machine
slows all alike and is not counted, since CPU seconds of this process are. One thread throughout.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import torch  # noqa: E402  (reads them when it is imported)

torch.set_num_threads(1)

Contenders = Mapping[str, Callable[[], Any]]


def arguments(doc: str, *extra: str) -> argparse.Namespace:
    """The command line of a benchmark: ``--quick``, ``--peak``, and flags of its own."""
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller and fewer, for a look")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)  # contender and size
    for flag in extra:
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def peer(module: str) -> ModuleType:
    """A package to compare with; ends the benchmark with one line where it is absent."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SystemExit(
            f"{Path(sys.argv[0]).name} needs {module.partition('.')[0]}: pip install '.[bench]' "
            f"({error})"
        ) from None


def seconds(
    contenders: Contenders, rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, float]:
    """CPU seconds of each contender's best round; a first round, not counted, fills the caches.

    With ``clock=time.perf_counter`` they are seconds by the wall, which other work lengthens.
    """
    best = dict.fromkeys(contenders, float("inf"))
    for turn in range(rounds + 1):
        for name, run in contenders.items():
            started = clock()
            run()
            if turn:
                best[name] = min(best[name], clock() - started)
    return best


def peak_of(run: Callable[[], object]) -> float:
    """MiB that one call adds to the resident memory of this process at its peak (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = _memory("VmRSS")
    run()
    return _memory("VmHWM") - before


def _memory(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def compare(
    make: Callable[[int], Contenders],
    sizes: Mapping[int, int],
    unit: str,
    small: int,
    agree: Sequence[str] = (),
) -> None:
    """Print CPU seconds and peak memory of contenders, and ratios to the first of them.

    Peak memory is that of one call in a fresh process of this benchmark (``--peak``).

    Args:
        make: the contenders at a size.
        sizes: size -> rounds.
        unit: what a size counts.
        small: a size to call first, so that what is made once, such as a library's buffers, is not
            counted; large enough that it goes the way the others go.
        agree: contenders that are to return the same number.
    """
    given = argparse.ArgumentParser()
    given.add_argument("--peak", nargs=2)
    asked = given.parse_known_args()[0].peak
    if asked:
        make(small)[asked[0]]()
        print(peak_of(make(int(asked[1]))[asked[0]]))
        return
    values = [run() for name, run in make(small).items() if name in agree]
    assert all(abs(value - values[0]) < 1e-4 for value in values), f"they differ: {values}"
    rows: list[list[str | float]] = []
    for size, rounds in sizes.items():
        cpu = seconds(make(size), rounds)
        mib = {name: _peak(name, size) for name in cpu}
        first = next(iter(cpu))
        for name in cpu:
            ratios = cpu[first] / cpu[name], mib[first] / mib[name]
            rows.append([f"{size} {unit}, {name}", cpu[name], mib[name], *ratios])
    table(["contender", "CPU s", "peak MiB", "times faster", "times leaner"], rows)


def _peak(name: str, size: int) -> float:
    command = [sys.executable, "-W", "ignore", sys.argv[0], "--peak", name, str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def backward(loss: Callable[[], torch.Tensor], of: torch.Tensor) -> Callable[[], float]:
    """A loss and its gradient with respect to ``of``, as a contender."""

    def run() -> float:
        of.grad = None
        value = loss()
        value.backward()
        return float(value)

    return run


def over_seeds(values: Sequence[float]) -> str:
    """Mean ± standard deviation; of one value, that and 0."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.fmean(values):.3f} ± {spread:.3f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str | float]]) -> None:
    """Print a Markdown table; numbers to three digits."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    lines = [list(heads), ["-" * width for width in widths], *cells]
    for line in lines:
        parts = [
            value.ljust(width) if index == 0 else value.rjust(width)
            for index, (value, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("| " + " | ".join(parts) + " |")


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
