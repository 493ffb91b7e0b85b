"""The training loop, with hooks, batches and logging, against its bare steps.

``bare`` is forward, backward and the optimizer on one batch. ``loop`` is what ``adframe run`` does:
random numbers, shuffled batches, metrics, hooks, a run folder with its log, a checkpoint at the
end. Both train UniCon-HA on random images at a quarter of the width. They take turns step by step:
a hook of the run takes a bare step after each step of the loop. So other work on the machine slows
both. CPU seconds.

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
    """Writes a data set of random images: ``count`` for training, and a few for testing."""
    noise = np.random.default_rng(0)
    for folder, number in {"train/good": count, "test/good": 2, "test/bad": 2}.items():
        (root / folder).mkdir(parents=True)
        for index in range(number):
            pixels = noise.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{index}.png")


def prepared(root: Path, width: float, inliers: int, epochs: int) -> Run:
    """A run over those images, ready to train."""
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
    """A hook that takes a bare step after each step of the loop and times it.

    Args:
        run: The run whose network takes the bare steps, always on the same batch. It is not the
            run that the hook observes.
    """

    def __init__(self, run: Run, inliers: int) -> None:
        self.method = run.assembly.method.train()
        self.optimizer = run.assembly.optimizer("main").build(list(self.method.parameters()))
        self.batch = steps.batch(inliers)
        self.seconds: list[float] = []

    def step(self) -> None:
        """Forward, backward and the optimizer, without the rest of the loop."""
        for update in self.method.step(self.batch, 0.0):
            self.optimizer.zero_grad(set_to_none=True)
            update.loss.backward()
            self.optimizer.step()

    @adframe.hookimpl
    def adframe_update(self) -> None:
        """Takes a bare step after a step of the loop."""
        started = time.process_time()
        self.step()
        self.seconds.append(time.process_time() - started)


def main() -> None:
    """Compares and prints the table."""
    quick = pairs.arguments(__doc__).quick
    width, inliers, count, epochs = (0.25, 2, 4, 1) if quick else (0.25, 8, 96, 6)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        images(root, count)
        bare = Bare(prepared(root, width, inliers, epochs), inliers)
        bare.step()  # fill the caches of both
        run = prepared(root, width, inliers, epochs)
        run.hook.adframe_run_start(run=run)
        run.attach(bare)
        started = time.process_time()
        train(run)
        whole = time.process_time() - started
        run.detach()
    assert len(bare.seconds) == run.total_steps, "one update per step"
    alone = sum(bare.seconds)
    rows = [
        [
            f"{run.total_steps} steps, {name}",
            value / run.total_steps,
            f"{100 * alone / value:.1f} %",
        ]
        for name, value in {"bare": alone, "loop": whole - alone}.items()
    ]
    pairs.table(["", "CPU s a step", "throughput"], rows)


if __name__ == "__main__":
    main()
