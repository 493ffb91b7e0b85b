"""Run every benchmark and write benchmarks/RESULTS.md: the tables, and the machine they are of.

    python benchmarks/all.py [--quick]

With ``--quick`` the tables are only printed. Ends with status 1 where a benchmark failed.
"""

from __future__ import annotations

import ast
import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

import pairs

HERE = Path(__file__).parent
ORDER = [
    "contrastive_loss", "ntxent", "augmentation", "hierarchical_step", "loop", "precision",
    "batches", "scoring", "startup", "memory",
]  # fmt: skip
PACKAGES = [
    "torch", "torchvision", "scikit-learn", "pillow", "pytorch-metric-learning", "lightly",
    "kornia", "faiss-cpu",
]  # fmt: skip


def machine() -> list[str]:
    """What was measured on, as lines of Markdown."""
    info = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
    model = next(line.partition(": ")[2] for line in info if line.startswith("model name"))
    widest = next((flag for flag in ("avx512f", "avx2") if flag in " ".join(info).split()), "-")
    versions = [f"{name} {_version(name)}" for name in PACKAGES]
    return [
        f"- {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {platform.system()}",
        f"- CPU {model}, {os.cpu_count()} cores, {widest}; one thread, other work on the machine",
        f"- Python {platform.python_version()}, {', '.join(versions)}",
    ]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def main() -> None:
    """Run them one after another."""
    quick = ["--quick"] if pairs.arguments(__doc__).quick else []
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; each table is what the script of that name prints. Contenders of",
        "a table take turns in one process (startup, memory: in processes of their own), and the",
        "best round counts. Read ratios: seconds change from machine to machine and, on a shared",
        "one, from run to run.",
        "",
        *machine(),
    ]
    failed = []
    for name in ORDER:
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-W", "ignore", str(HERE / f"{name}.py"), *quick]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        doc = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8")))
        lines += ["", f"## {name}", "", str(doc).partition("\n")[0], ""]
        if done.returncode:
            failed.append(name)
            lines += [f"Failed: {done.stderr.strip().splitlines()[-1]}"]
        else:
            lines += [done.stdout.strip()]
    text = "\n".join(lines) + "\n"
    print(text)
    if not quick:
        (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
