"""Scores many images in shards, kills all processes at random, and compares with one process.

    python benchmarks/shards.py --images 20000 --kills 3 --on local:2
    python benchmarks/shards.py --images 20000 --folder IMAGES --on ray

The rows of the merged file must be those of one process, byte for byte, undisturbed and after the
kills. The peak of memory of the command itself is measured with a quarter of the images, too.
Without ``--folder``, small images are drawn.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from kill import toy
from PIL import Image

import adframe


def draw(folder: Path, count: int) -> list[Path]:
    """Small images of noise, JPEG files; every thousandth file is none."""
    folder.mkdir()
    noise = np.random.default_rng(1)
    paths = [folder / f"{index:06d}.jpg" for index in range(count)]
    for index, path in enumerate(paths):
        if index % 1000 == 999:
            path.write_bytes(b"no image")
        else:
            Image.fromarray(noise.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    return paths


def command(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Starts adframe in a session of processes that can be killed together."""
    with open(log, "wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "adframe", *words],
            stdout=output, stderr=output, start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip


def finish(process: subprocess.Popen[bytes], log: Path) -> float:
    """Waits for a command; returns the peak of its memory in MiB."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 2):  # 2: files are unreadable
        raise SystemExit(log.read_text())
    return usage.ru_maxrss / 1024


def main() -> int:
    """Prints a line for each step; returns 1 if a row differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="of images, in place of drawn ones")
    parser.add_argument("--on", default="local:2")
    parser.add_argument("--shard", type=int, default=1024)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work, log = Path(name), Path(name, "log")
        config = adframe.load_config(toy(work), ["train.epochs=0", "scorer.views=1"])
        adframe.run(config, work / "run")
        found = draw(work / "drawn", options.images) if options.folder is None else (
            adframe.find_images(options.folder)[: options.images]
        )  # fmt: skip
        lists = {}
        for part in (4, 1):
            lists[part] = work / f"list{part}.txt"
            lists[part].write_text("".join(f"{path}\n" for path in found[: len(found) // part]))
        score = ["score", str(work / "run")]
        start = time.monotonic()
        alone = work / "alone.csv"
        finish(command([*score, str(lists[1]), "--out", str(alone)], log), log)
        print(f"one process: {len(found)} images, {time.monotonic() - start:.0f} s", flush=True)
        peaks = {}
        for part in (4, 1):
            out = work / f"whole{part}"
            start = time.monotonic()
            words = [*score, str(lists[part]), "--out", str(out), "--on", options.on]
            words += ["--shard", str(options.shard)]
            peaks[part] = finish(command(words, log), log)
        seconds = time.monotonic() - start
        print(f"--on {options.on}: {seconds:.0f} s; peak of the command: {peaks[4]:.0f} MiB with a "
              f"quarter of the images, {peaks[1]:.0f} MiB with all", flush=True)  # fmt: skip
        print(log.read_text().strip().splitlines()[-3], flush=True)
        same = (work / "whole1/scores.csv").read_bytes() == alone.read_bytes()
        choose, out = random.Random(options.seed), work / "killed"
        words[words.index("--out") + 1] = str(out)
        kept = []
        for _ in range(options.kills):
            process = command(words, log)
            before = len(list(out.glob("shards/*.csv")))
            while process.poll() is None and len(list(out.glob("shards/*.csv"))) < before + 4:
                time.sleep(0.05)  # until two more shards are done
            time.sleep(choose.uniform(0, seconds / 20))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kept.append(len(list(out.glob("shards/[0-9]*[0-9].csv"))))
        finish(command(words, log), log)
        after = (out / "scores.csv").read_bytes() == alone.read_bytes()
        print(f"{options.kills} kills, with {kept} shards done: "
              f"rows equal before: {same}, after: {after}")  # fmt: skip
        return 0 if same and after else 1


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main())
