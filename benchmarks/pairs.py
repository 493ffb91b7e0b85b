"""Helpers of the benchmarks: contenders in turns, CPU seconds, peak memory, tables.

The contenders in a process take turns, and the best round of each counts. Only CPU seconds of this
process are counted, so other work on the machine is not; it slows all contenders alike. One thread.
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

import torch  # noqa: E402  (reads these variables on import)

torch.set_num_threads(1)

Contenders = Mapping[str, Callable[[], Any]]

#: The score of UniCon-HA's configs, for ``--set scorer=...``.
CROPS = (
    "{name: nearest_cosine, views: 10, augmentation: {name: simclr, scale: [0.54, 0.54], "
    "jitter_probability: 0, grayscale_probability: 0}}"
)


def arguments(doc: str, *extra: str) -> argparse.Namespace:
    """Reads the command line of a benchmark: ``--quick``, ``--peak``, and ``extra`` flags."""
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller and fewer, for a first look")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)  # contender and size
    for flag in extra:
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def peer(module: str) -> ModuleType:
    """Imports a package to compare with. Ends the benchmark with one line if it is missing."""
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
    """CPU seconds of each contender's best round. A first, uncounted round fills the caches.

    With ``clock=time.perf_counter`` they are wall-clock seconds, which other work makes longer.
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
    """MiB that one call adds to the peak resident memory of this process (Linux)."""
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
    """Prints CPU seconds and peak memory of contenders, and the ratios to the first of them.

    Peak memory is measured for one call in a fresh process of this benchmark (``--peak``).

    Args:
        make: Returns the contenders for a size.
        sizes: Number of rounds for each size.
        unit: The unit of a size.
        small: A size to call first, so that buffers that a library makes only once are not
            counted. Large enough to take the same code path as the other sizes.
        agree: Contenders that must return the same number.
    """
    given = argparse.ArgumentParser()
    given.add_argument("--peak", nargs=2)
    wanted = given.parse_known_args()[0].peak
    if wanted:
        make(small)[wanted[0]]()
        print(peak_of(make(int(wanted[1]))[wanted[0]]))
        return
    values = [run() for name, run in make(small).items() if name in agree]
    assert all(abs(value - values[0]) < 1e-4 for value in values), f"not equal: {values}"
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
    """A contender that computes a loss and its gradient with respect to ``of``."""

    def run() -> float:
        of.grad = None
        value = loss()
        value.backward()
        return float(value)

    return run


def over_seeds(values: Sequence[float]) -> str:
    """Mean ± standard deviation, as text. For one value the deviation is 0."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.fmean(values):.3f} ± {spread:.3f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str | float]]) -> None:
    """Prints a Markdown table, with numbers to three digits."""
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
