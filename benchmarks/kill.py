"""Kills a small run at random moments until it is done. Compares it with an undisturbed run.

    python benchmarks/kill.py --kills 20 --seed 0
    python benchmarks/kill.py --kills 20 --seed 0 --workers 2
    python benchmarks/kill.py --kills 20 --seed 0 --ranks 2

Every attempt is a separate process, forked from one that has imported everything. SIGKILL ends it:
at a random time, before an optimizer step, while a file is half written, before or after its
renaming, or while images are scored. Sometimes SIGTERM ends it; then it must save and end with
status 143. With ``--workers``, processes decode the images, and SIGTERM goes to all of them, as
batch systems send it. With ``--ranks``, several processes train one network, as under
torchrun; one of them, chosen at random, is killed or gets SIGTERM. All must end within a minute,
without help. Each next attempt resumes. In the end weights, optimizer state, scores, metrics and
result must equal those of the undisturbed run byte for byte, except for wall times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

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
from adframe.parallel.ranks import Ranks

BASE = Path(__file__).parents[1] / "configs/base/unicon_ha.yaml"
MOMENTS = ("time", "time", "term", "step", "fsync", "replace", "replaced", "score", "hook")
SHARED = ("time", "term", "step", "score", "hook", "exchange", "exchange")  # of any rank
PATIENCE = 60  # seconds that processes may take to end after one was killed
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


def attempt(
    words: list[str],
    log: Path,
    moment: str,
    count: int,
    after: float,
    ranks: int = 1,
    victim: int = 0,
) -> int:
    """Runs a command in child processes, one for each rank, of which one is the victim.

    Returns:
        The exit status of the victim, or minus the signal number.

    Raises:
        Failed: a process has not ended, or another one ended as it should not.
    """
    known = {} if ranks == 1 else joined(ranks)
    children = []
    for rank in range(ranks):
        child = os.fork()
        if child == 0:
            os.environ |= {**known, "RANK": str(rank), "LOCAL_RANK": str(rank)} if known else {}
            run(words, log.with_suffix(f".{rank}"), moment if rank == victim else "never", count)
        children.append(child)
    ended: dict[int, int] = {}
    start = time.monotonic()
    while len(ended) < ranks:
        for rank, child in enumerate(children):
            if rank not in ended and (found := os.waitpid(child, os.WNOHANG))[0]:
                ended[rank] = os.waitstatus_to_exitcode(found[1])
                start = time.monotonic()
        late = time.monotonic() - start
        if moment in ("time", "term") and late > after and victim not in ended:
            number = signal.SIGKILL if moment == "time" else signal.SIGTERM
            (os.kill if ranks > 1 or moment == "time" else os.killpg)(children[victim], number)
            moment, start = "sent", time.monotonic()
        elif late > PATIENCE and (ended or moment == "sent"):
            raise Failed(f"ranks {sorted({*range(ranks)} - {*ended})} have not ended")
        time.sleep(0.005)
    others = [status for rank, status in ended.items() if rank != victim]
    if ended[victim] == 0 and any(others):
        raise Failed(f"a rank that was not killed ended with {others}\n{log_of(log)}")
    return ended[victim]


def joined(ranks: int) -> dict[str, str]:
    """The variables of torchrun that all ranks share."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {"WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def log_of(log: Path) -> str:
    """What all processes of an attempt printed."""
    return "\n".join(part.read_text() for part in sorted(log.parent.glob(f"{log.name}.*")))


def run(words: list[str], log: Path, moment: str, count: int) -> NoReturn:
    """What a child process does."""
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
    elif moment == "exchange":
        before(Ranks, "stack")
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


def undisturbed(words: list[str], work: Path, every: str, ranks: int) -> dict[str, Any]:
    """The content of the folder of an undisturbed run."""
    out = work / f"whole-{every}"
    if attempt([*words, "--out", str(out)], work / "log", "never", 0, 0, ranks):
        raise Failed(log_of(work / "log"))
    return content(out)


def disturbed(
    words: list[str], work: Path, seed: int, most: int, ranks: int
) -> tuple[list[str], list[str]]:
    """Interrupts and resumes a run until it is done. Returns how each attempt ended."""
    choose = random.Random(seed)
    words = [*words, "--out", str(work / f"run-{seed}"), "--resume"]
    killed: list[str] = []
    stopped: list[str] = []
    for number in range(most + 1):
        victim = choose.randrange(ranks) if ranks > 1 else 0
        moment = choose.choice(MOMENTS if ranks == 1 or victim == 0 else SHARED)
        moment = moment if number < most else "never"
        count = choose.randint(1, {"score": 2, "exchange": 400}.get(moment, 4))
        after = choose.uniform(0.1, 1.0 if ranks == 1 else 4.0)
        status = attempt(words, work / "log", moment, count, after, ranks, victim)
        if status == -signal.SIGKILL:
            killed.append(moment if ranks == 1 else f"{moment} of rank {victim}")
        elif status in (128 + signal.SIGTERM, -signal.SIGTERM):  # or before its handler
            stopped.append(moment)
        elif status == 0:
            return killed, stopped
        else:
            raise Failed(f"{moment} {count}: status {status}\n{log_of(work / 'log')}")
    raise AssertionError("the last attempt is not disturbed")


def main() -> int:
    """Prints one line per run, and the counts. Returns 1 at the first difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="SIGKILLs over all runs, at least")
    parser.add_argument("--each", type=int, default=8, help="interruptions per run, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, help="processes that decode the images")
    parser.add_argument("--ranks", type=int, default=1, help="processes that train one network")
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
                    expected[every] = undisturbed(words, work, every, options.ranks)
                killed, stopped = disturbed(words, work, seed, options.each, options.ranks)
            except Failed as error:
                print(f"seed {seed}: {error}")
                return 1
            found, wanted = content(work / f"run-{seed}"), expected[every]
            names = sorted({*wanted, *found})
            different = [name for name in names if wanted.get(name) != found.get(name)]
            print(f"seed {seed}, checkpoint_every {every}, killed: {', '.join(killed)}; "
                  f"stopped {len(stopped)} times; differs: {', '.join(different) or 'nothing'}",
                  flush=True)  # fmt: skip
            if different:
                return 1
            seed, kills, stops = seed + 1, kills + len(killed), stops + len(stopped)
    print(f"{kills} kills and {stops} stops: every run is the undisturbed one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
