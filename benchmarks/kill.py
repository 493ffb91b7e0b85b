"""Kills a small run at random moments until it is done. Compares it with an undisturbed run.

    python benchmarks/kill.py --kills 20 --seed 0
    python benchmarks/kill.py --kills 20 --seed 0 --workers 2

Every attempt is a separate process, forked from one that has imported everything. SIGKILL ends it:
at a random time, before an optimizer step, while a file is half written, before or after its
renaming, or while images are scored. Sometimes SIGTERM ends it; then it must save and end with
status 143. With ``--workers``, processes decode the images, and SIGTERM goes to all of them, as
batch systems send it. Each next attempt resumes. In the end weights, optimizer state, scores,
metrics and result must equal those of the undisturbed run byte for byte, except for wall times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch._dynamo  # by the first step of an optimizer; imported before the forks
from PIL import Image

import adframe.engine.evaluate
from adframe.cli.commands import run as _commands_run  # noqa: F401  imported before the forks
from adframe.cli.main import main as adframe_cli
from adframe.config.model import load_config
from adframe.engine import checkpoint
from adframe.io import atomic

BASE = Path(__file__).parents[1] / "configs/base/unicon_ha.yaml"
MOMENTS = ("time", "time", "term", "step", "fsync", "replace", "replaced", "score", "hook")
WALL_TIMES = ("seconds",)


def toy(work: Path) -> Path:
    """The config of a run that takes one second."""
    noise = np.random.default_rng(0)
    for name, count in {"left": 12, "dark": 4}.items():
        (work / "images" / name).mkdir(parents=True)
        for index in range(count):
            pixels = noise.integers(0, 60, (16, 16, 3), dtype=np.uint8)
            pixels[:, :8] += 150 if name == "left" else 0
            Image.fromarray(pixels).save(work / "images" / name / f"{index:02d}.png")
    path = work / "toy.yaml"
    path.write_text(f"""
extends: {BASE}
dataset: {{name: image_folder, root: {work}/images, normal: left}}
shifts: [{{name: rotation, angles: [180]}}]
backbone: {{width: 0.0625}}
scorer: {{views: 2}}
train: {{epochs: 6, batch_size: 4, device: cpu}}
""")
    return path


def attempt(words: list[str], log: Path, moment: str, count: int, after: float) -> int:
    """Runs a command in a child process. Returns its exit status, or minus the signal number."""
    child = os.fork()
    if child == 0:
        status = 70
        os.setpgid(0, 0)
        try:
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            arm(moment, count)
            status = adframe_cli(words)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    if moment in ("time", "term"):
        end = time.monotonic() + after
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        if moment == "time":
            os.kill(child, signal.SIGKILL)
        else:
            os.killpg(child, signal.SIGTERM)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def arm(moment: str, count: int) -> None:
    """Makes this process kill itself at the ``count``-th call of some functions."""
    die = lambda: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
    left = [count]

    def due() -> bool:
        left[0] -= 1
        return left[0] == 0

    def before(owner: Any, name: str, then: Callable[..., None] = lambda *a: None) -> None:
        original = getattr(owner, name)

        def call(*args: Any, **options: Any) -> Any:
            if due():
                then(*args)
                die()
            return original(*args, **options)

        setattr(owner, name, call)

    if moment == "step":
        before(torch.optim.SGD, "step")
    elif moment == "fsync":
        before(os, "fsync", half_written)
    elif moment == "replace":
        before(Path, "replace")
    elif moment == "replaced":  # the file is renamed, its folder is not synced yet
        before(atomic, "_sync_folder")
    elif moment == "score":
        before(adframe.engine.evaluate, "score")
    elif moment == "hook":  # the epoch is over but not saved
        before(checkpoint, "save_state")


def half_written(descriptor: int) -> None:
    """Leaves a file as if the process had been killed while writing it."""
    path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    if path.suffix == ".part":
        os.truncate(path, path.stat().st_size // 2)
    elif path.is_file():  # killed while a line was being added
        os.truncate(path, path.stat().st_size - 7)


def content(folder: Path) -> dict[str, Any]:
    """The content of a run folder, without the wall times in its files."""

    def timeless(text: bytes) -> Any:
        value = json.loads(text)
        return {key: item for key, item in value.items() if key not in WALL_TIMES}

    held: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        if path.suffix == ".json":
            held[path.name] = timeless(data)
        elif path.suffix == ".jsonl":
            held[path.name] = [timeless(line) for line in data.splitlines()]
        else:
            held[path.name] = data
    return held


class Failed(Exception):  # noqa: N818
    """A failure, with the output of the process."""


def undisturbed(words: list[str], work: Path, every: str) -> dict[str, Any]:
    """The content of the folder of an undisturbed run."""
    out = work / f"whole-{every}"
    if attempt([*words, "--out", str(out)], work / "log", "never", 0, 0):
        raise Failed((work / "log").read_text())
    return content(out)


def disturbed(words: list[str], work: Path, seed: int, most: int) -> tuple[list[str], list[str]]:
    """Interrupts and resumes a run until it is done. Returns how each attempt ended."""
    choose = random.Random(seed)
    words = [*words, "--out", str(work / f"run-{seed}"), "--resume"]
    killed: list[str] = []
    stopped: list[str] = []
    for number in range(most + 1):
        moment = choose.choice(MOMENTS) if number < most else "never"
        count = choose.randint(1, 2 if moment == "score" else 4)
        after = choose.uniform(0.1, 1.0)
        status = attempt(words, work / "log", moment, count, after)
        if status == -signal.SIGKILL:
            killed.append(moment)
        elif status in (128 + signal.SIGTERM, -signal.SIGTERM):  # or before its handler
            stopped.append(moment)
        elif status == 0:
            return killed, stopped
        else:
            raise Failed(f"{moment} {count}: status {status}\n{(work / 'log').read_text()}")
    raise AssertionError("the last attempt is not disturbed")


def main() -> int:
    """Prints one line per run, and the counts. Returns 1 at the first difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="SIGKILLs over all runs, at least")
    parser.add_argument("--each", type=int, default=8, help="interruptions per run, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, help="processes that decode the images")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seed, kills, stops = options.seed, 0, 0
    expected: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        config = toy(work)
        load_config(config)  # imports the components, before the forks
        while kills < options.kills:
            every = ("1", "3", "1s")[seed % 3]
            words = ["run", str(config), "--set", f"train.checkpoint_every={every}"]
            if options.workers is not None:
                words += ["--set", f"dataset.workers={options.workers}"]
            try:
                if every not in expected:
                    expected[every] = undisturbed(words, work, every)
                killed, stopped = disturbed(words, work, seed, options.each)
            except Failed as error:
                print(f"seed {seed}: {error}")
                return 1
            found, wanted = content(work / f"run-{seed}"), expected[every]
            names = sorted({*wanted, *found})
            different = [name for name in names if wanted.get(name) != found.get(name)]
            print(f"seed {seed}, checkpoint_every {every}, killed: {' '.join(killed)}; "
                  f"stopped {len(stopped)} times; differs: {', '.join(different) or 'nothing'}",
                  flush=True)  # fmt: skip
            if different:
                return 1
            seed, kills, stops = seed + 1, kills + len(killed), stops + len(stopped)
    print(f"{kills} kills and {stops} stops: every run is the undisturbed one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
