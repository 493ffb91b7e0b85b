"""The training loop, hooks, batches and logging included, against its bare steps.

``bare`` is forward, backward and the optimiser on one batch; ``loop`` is what ``adframe run`` does:
draws, shuffled batches, metrics, hooks, a run folder with its log, a checkpoint at the end.
UniCon-HA on random images, a quarter of the width. The two take turns step by step (a hook of the
run takes a bare step after each of the loop's), so that what else the machine does slows both; CPU
seconds.

    python benchmarks/loop.py [--quick]
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pairs
import steps
from PIL import Image

import adframe
from adframe import load_config
from adframe.engine.runner import prepare
from adframe.engine.state import Run
from adframe.engine.train import train

CONFIG = Path(__file__).parents[1] / "configs/base/unicon_ha.yaml"


def images(root: Path, count: int) -> None:
    """A data set of random images: ``count`` to train on, and a few to test."""
    noise = np.random.default_rng(0)
    for folder, number in {"train/good": count, "test/good": 2, "test/bad": 2}.items():
        (root / folder).mkdir(parents=True)
        for index in range(number):
            pixels = noise.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{index}.png")


def prepared(root: Path, width: float, inliers: int, epochs: int) -> Run:
    """A run of so many epochs over those images, ready to train."""
    file = root / "loop.yaml"
    file.write_text(
        f"""
extends: {CONFIG}
dataset: {{name: image_folder, root: {root / "train"}, test_root: {root / "test"}, normal: good}}
backbone: {{width: {width}}}
train: {{epochs: {epochs}, batch_size: {inliers}, device: cpu, checkpoint_every: 0}}
""",
        encoding="utf-8",
    )
    return prepare(load_config(file), Path(tempfile.mkdtemp(dir=root)))


class Bare:
    """A hook that takes a bare step after each step of the loop, and times it.

    Args:
        run: one whose network this trains, always on the same batch; not the run it watches.
    """

    def __init__(self, run: Run, inliers: int) -> None:
        self.method = run.assembly.method.train()
        self.optimizer = run.assembly.optimizer.build(list(self.method.parameters()))
        self.batch = steps.batch(inliers)
        self.seconds: list[float] = []

    def step(self) -> None:
        """Forward, backward and the optimiser, without the rest of the loop."""
        for update in self.method.step(self.batch, 0.0):
            self.optimizer.zero_grad(set_to_none=True)
            update.loss.backward()
            self.optimizer.step()

    @adframe.hookimpl
    def adframe_update(self) -> None:
        """A bare step, after one of the loop's."""
        started = time.process_time()
        self.step()
        self.seconds.append(time.process_time() - started)


def main() -> None:
    """Compare and print the table."""
    quick = pairs.arguments(__doc__).quick
    width, inliers, count, epochs = (0.25, 2, 4, 1) if quick else (0.25, 8, 96, 6)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        images(root, count)
        bare = Bare(prepared(root, width, inliers, epochs), inliers)
        bare.step()  # fills the caches of both
        run = prepared(root, width, inliers, epochs)
        run.hook.adframe_run_start(run=run)
        run.attach(bare)
        started = time.process_time()
        train(run)
        whole = time.process_time() - started
        run.detach()
    assert len(bare.seconds) == run.total, "one update a step"
    alone = sum(bare.seconds)
    rows = [
        [f"{run.total} steps, {name}", value / run.total, f"{100 * alone / value:.1f} %"]
        for name, value in {"bare": alone, "loop": whole - alone}.items()
    ]
    pairs.table(["", "CPU s a step", "throughput"], rows)


if __name__ == "__main__":
    main()
