"""Whole jobs, next to what a user would run instead.

``UniCon-HA`` trains and scores one class: ``adframe run unicon_ha/fast`` against
``plain_unicon_ha.py``, an ordinary PyTorch and torchvision script of the same step, on the same
files, to the same number of steps. Each job is a process tree: start, decoding, training, scoring,
workers included. Seeds take turns. CPU seconds and AUROC, mean and standard deviation over seeds.

Where the CPU has bfloat16 instructions, also ``adframe run`` with ``train.precision=bf16``.

``kNN`` fits and scores the same features, with scikit-learn's brute force by cosine.

With ``--data FOLDER`` (train/CLASS and test/CLASS, as CIFAR-10 in JPEG files) the images are those
of ``--class``, and anomalies are of all other classes. Otherwise they are made up. The step of
CSI's official code is in ``csi_step.py``.

    python benchmarks/jobs.py [--data FOLDER] [--class automobile] [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pairs
import torch
from PIL import Image
from precision import native
from sklearn.neighbors import NearestNeighbors
from torch.nn.functional import normalize

from adframe.registry.loading import load_plugins

HERE = Path(__file__).parent
PARTS = {"train/good": 1, "test/good": 0.2, "test/bad": 0.2}  # images of each, as shares


def make_up(folder: Path, count: int) -> None:
    """Writes noisy gradients; an anomaly has a dark square."""
    draw = np.random.default_rng(0)
    for part, share in PARTS.items():
        (folder / part).mkdir(parents=True)
        for number in range(round(share * count)):
            pixels = np.linspace(50, 200, 32)[:, None, None] + draw.uniform(0, 40, (32, 32, 3))
            if part == "test/bad":
                top, left = draw.integers(0, 24, 2)
                pixels[top : top + 8, left : left + 8] *= 0.5
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            image.save(folder / part / f"{number:05}.jpg", quality=95)


def copy(data: Path, name: str, folder: Path, count: int) -> None:
    """Copies files of a class, and of all others in equal parts as anomalies."""
    others = [each for each in sorted((data / "test").iterdir()) if each.name != name]
    for part, share in PARTS.items():
        (folder / part).mkdir(parents=True)
        wanted = round(share * count)
        sources = [data / part.partition("/")[0] / name] if part != "test/bad" else others
        for source in sources:
            for file in sorted(source.iterdir())[: -(-wanted // len(sources))]:
                shutil.copyfile(file, folder / part / f"{source.name}-{file.name}")


def run(command: list[str]) -> tuple[float, float, str]:
    """CPU seconds of a process and all that it starts, MiB of the largest, and what it prints."""
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=alone)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\n{text}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text


def plain(folder: Path, epochs: int, seed: int) -> tuple[float, float, int]:
    """CPU seconds, AUROC and steps of the plain script."""
    script = str(HERE / "plain_unicon_ha.py")
    given = [str(folder), "--epochs", str(epochs), "--seed", str(seed)]
    cpu, _, text = run([sys.executable, script, *given])
    found = re.search(r"steps (\d+) AUROC ([\d.]+)", text)
    assert found is not None, text
    return cpu, float(found[2]), int(found[1])


def ours(folder: Path, epochs: int, seed: int, precision: str = "fp32") -> tuple[float, float, int]:
    """CPU seconds, AUROC and steps of ``adframe run unicon_ha/fast``."""
    data = f"{{name: image_folder, root: {folder}/train, test_root: {folder}/test, normal: good}}"
    settings = [f"dataset={data}", f"train.epochs={epochs}", f"seed={seed}", "train.device=cpu"]
    settings += [f"train.precision={precision}", f"scorer={pairs.CROPS}"]  # as the script scores
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "adframe", "run", "unicon_ha/fast", "--out", out]
        cpu, _, _ = run([*command, *(word for each in settings for word in ("--set", each))])
        result = json.loads((Path(out) / "result.json").read_text(encoding="utf-8"))
    auroc = _numbers(result, "mean_auroc")[0]
    return cpu, auroc, epochs * (len([*(folder / "train/good").iterdir()]) // 8)


def _numbers(value: object, key: str) -> list[float]:
    """Numbers below a key of a tree."""
    if isinstance(value, dict):
        here = [of for name, of in value.items() if name == key and isinstance(of, float)]
        return here + [n for of in value.values() for n in _numbers(of, key)]
    return [n for of in value for n in _numbers(of, key)] if isinstance(value, list) else []


def whole_jobs(folder: Path, epochs: int, seeds: int) -> list[list[str | float]]:
    """Rows of the table of trained jobs."""
    contenders = {"plain PyTorch": plain, "adframe": ours}
    if native() != "none":
        contenders["adframe, bf16"] = partial(ours, precision="bf16")
    found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in contenders}
    for seed in range(seeds):
        for name, job in contenders.items():
            found[name].append(job(folder, epochs, seed))
    (steps,) = {each[2] for rows in found.values() for each in rows}
    cpu = {name: statistics.median(each[0] for each in rows) for name, rows in found.items()}
    return [
        [f"{steps} steps, {name}", cpu[name], cpu["plain PyTorch"] / cpu[name],
         pairs.over_seeds([each[1] for each in rows])]
        for name, rows in found.items()
    ]  # fmt: skip


def neighbours(bank: int, queries: int, k: int) -> dict[str, Callable[[], np.ndarray]]:
    """Fit and score of both searches on the same features of width 128."""
    draw = torch.Generator().manual_seed(0)
    known, queried = (normalize(torch.randn(n, 128, generator=draw)) for n in (bank, queries))
    scorer_class = load_plugins().registry.get("scorer", "knn").load()

    def sklearn() -> np.ndarray:
        search = NearestNeighbors(n_neighbors=k, algorithm="brute", metric="cosine")
        found, _ = search.fit(known.numpy()).kneighbors(queried.numpy())
        return found.mean(1)

    def adframe() -> np.ndarray:
        scorer = scorer_class(k=k)
        scorer.fit({"features": known[:, None, None]})
        return scorer.score({"features": queried[:, None, None]}).numpy()

    return {"scikit-learn": sklearn, "adframe": adframe}


def main() -> None:
    """Runs the jobs in turns and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a folder with train/CLASS and test/CLASS")
    parser.add_argument("--class", dest="name", default="automobile", help="the normal class")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer, for a first look")
    given = parser.parse_args()
    count, epochs, seeds = (64, 1, 1) if given.quick else (512, 3, 3)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if given.data is None:
            make_up(folder, count)
        else:
            copy(given.data, given.name, folder, count)
        rows = whole_jobs(folder, epochs, seeds)
    pairs.table(["UniCon-HA", "CPU s", "times faster", "AUROC"], rows)
    bank, queries = (1000, 200) if given.quick else (10_000, 2000)
    contenders = neighbours(bank, queries, k=5)
    first, second = (contender() for contender in contenders.values())
    assert np.allclose(first, second, atol=1e-5)
    cpu = pairs.seconds(contenders, 3)
    print()
    pairs.table(
        ["kNN, fit and score", "CPU s", "times faster"],
        [
            [f"{queries} of {bank}, {name}", of, cpu["scikit-learn"] / of]
            for name, of in cpu.items()
        ],
    )


if __name__ == "__main__":
    main()
