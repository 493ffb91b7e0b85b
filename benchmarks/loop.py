"""The training loop, hooks, batches and logging included, against its bare steps.

``bare`` runs forward, backward and the optimiser on one batch again and again; ``loop`` is what
``adframe run`` runs: draws, shuffled batches, metrics, hooks, a run folder with its log. UniCon-HA
on random images, a quarter of the width. CPU seconds a step, best of interleaved rounds.

    python benchmarks/loop.py [--quick]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pairs
import steps
from PIL import Image

from adframe import load_config
from adframe.runner import Run, prepare
from adframe.train import train

CONFIG = Path(__file__).parents[1] / "configs/base/unicon_ha.yaml"


def images(root: Path, count: int) -> None:
    """A data set of random images: ``count`` to train on, and a few to test."""
    noise = np.random.default_rng(0)
    for folder, number in {"train/good": count, "test/good": 2, "test/bad": 2}.items():
        (root / folder).mkdir(parents=True)
        for index in range(number):
            pixels = noise.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{index}.png")


def prepared(root: Path, width: float, inliers: int) -> Run:
    """A run of one epoch over those images, ready to train."""
    file = root / "loop.yaml"
    file.write_text(
        f"""
extends: {CONFIG}
dataset: {{name: image_folder, root: {root / "train"}, test_root: {root / "test"}, normal: good}}
backbone: {{width: {width}}}
train: {{epochs: 1, batch_size: {inliers}, device: cpu, checkpoint_every: 0}}
""",
        encoding="utf-8",
    )
    return prepare(load_config(file), Path(tempfile.mkdtemp(dir=root)))


def bare(run: Run, inliers: int) -> Callable[[], None]:
    """As many steps as the run has, on one batch."""
    method = run.assembly.method.train()
    optimizer = run.assembly.optimizer.build(list(method.parameters()))
    batch = steps.batch(inliers)

    def go() -> None:
        for _ in range(run.total):
            for update in method.step(batch, 0.0):
                optimizer.zero_grad(set_to_none=True)
                update.loss.backward()
                optimizer.step()

    return go


def main() -> None:
    """Compare and print the table."""
    quick = pairs.arguments(__doc__).quick
    width, inliers, count, rounds = (0.25, 2, 4, 1) if quick else (0.25, 8, 96, 2)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        images(root, count)
        first = prepared(root, width, inliers)

        def loop() -> None:
            run = prepared(root, width, inliers)
            run.hook.adframe_run_start(run=run)
            train(run)
            run.detach()

        ready = pairs.seconds({"assembling": lambda: prepared(root, width, inliers)}, rounds)
        cpu = pairs.seconds({"bare": bare(first, inliers), "loop": loop}, rounds)
        cpu["loop"] -= ready["assembling"]
        rows = [
            [name, value / first.total, f"{100 * cpu['bare'] / value:.1f} %"]
            for name, value in cpu.items()
        ]
    pairs.table(["steps of", "CPU s a step", "throughput"], rows)


if __name__ == "__main__":
    main()
