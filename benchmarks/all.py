"""Runs every benchmark and writes the tables and the machine to benchmarks/RESULTS.md.

    python benchmarks/all.py [--quick] [NAME...]

With names, only those benchmarks run, and the other sections are kept. With ``--quick`` nothing is
written. Ends with status 1 if a benchmark failed.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
HEAD = """# Benchmarks

Written by `make bench`. Each table is printed by the script of that name. The contenders of a table
take turns in one process. The best round of each counts, in CPU seconds of one thread. Exceptions:
startup and memory use separate processes and medians of the wall clock. Read the ratios: seconds
change from machine to machine and, on a shared machine, from run to run.
"""
ORDER = [
    "contrastive_loss", "ntxent", "augmentation", "hierarchical_step", "csi_step", "loop",
    "shared_loss", "optimizer", "precision", "batches", "scoring", "throughput", "reading",
    "draft", "big_bank", "dense", "startup", "listing", "memory", "epoch", "jobs", "growth",
]  # fmt: skip
PACKAGES = [
    "torch", "torchvision", "scikit-learn", "pillow", "pytorch-metric-learning", "lightly",
    "kornia", "faiss-cpu", "anomalib",
]  # fmt: skip


def machine() -> list[str]:
    """The machine and the versions, as lines of Markdown."""
    info = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
    model = next(line.partition(": ")[2] for line in info if line.startswith("model name"))
    widest = next((flag for flag in ("avx512f", "avx2") if flag in " ".join(info).split()), "-")
    versions = [f"{name} {_version(name)}" for name in PACKAGES]
    return [
        f"- {platform.system()}, CPU {model}, {os.cpu_count()} cores, {widest}",
        f"- Python {platform.python_version()}, {', '.join(versions)}",
    ]


def _version(name: str) -> str:
    """Version of an installed package, or of a command of that name in another environment."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        script = shutil.which(name)
    if script is None:
        return "absent"
    python = Path(script).read_text(encoding="utf-8").partition("\n")[0].removeprefix("#!")
    ask = f"import importlib.metadata as m; print(m.version({name!r}))"
    return subprocess.run(
        [python, "-c", ask], capture_output=True, text=True, check=True
    ).stdout.strip()


def section(name: str, quick: bool) -> tuple[str, bool]:
    """Runs one benchmark. Returns its section of the page and True if it succeeded."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    file = HERE / f"{name}.py"
    command = [sys.executable, "-W", "ignore", str(file), *["--quick"] * quick]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    summary = str(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))).partition("\n")[0]
    text = done.stdout.strip()
    if done.returncode:
        text = "Failed: " + (done.stderr.strip().splitlines() or ["no reason was printed"])[-1]
    if "| --" not in text:
        text = f"```text\n{text}\n```"
    day = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    return f"## {name}\n\n{summary} ({day})\n\n{text}\n", not done.returncode


def main() -> None:
    """Runs the benchmarks one after another."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="only these; the other sections are kept")
    parser.add_argument("--quick", action="store_true", help="smaller sizes; print only")
    given = parser.parse_args()
    if unknown := set(given.names) - set(ORDER):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; choose from {', '.join(ORDER)}")
    old = RESULTS.read_text(encoding="utf-8").split("\n## ")[1:] if RESULTS.exists() else []
    sections = {text.partition("\n")[0]: f"## {text.strip()}\n" for text in old if given.names}
    failed, described = [], machine()
    for name in given.names or ORDER:
        sections[name], worked = section(name, given.quick)
        print(sections[name], flush=True)
        failed += [] if worked else [name]
        if not given.quick:
            text = "\n".join([HEAD, *described, "", *(sections[n] for n in ORDER if n in sections)])
            RESULTS.write_text(text, encoding="utf-8")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
