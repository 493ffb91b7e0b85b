"""AUROC over seconds and view passes: UniCon-HA, its fast recipe and CSI on one-class CIFAR-10.

All contenders have the same data, network (a quarter of ResNet-18's width) and training loop. They
differ in their configs. The fast recipe has UniCon-HA's score here, so that trainings are compared.
Each is trained once per class and seed, and scored several times during training; scoring is not
counted in its seconds. The learning rate falls to zero at the end of a run, so the last score is
the result of a run of that length. A view pass is one view of one image through the whole network
of UniCon-HA, forward and backward (docs/how-to/tables.md). A contender whose network sees smaller
images counts by its share of that arithmetic. ``--data`` holds train/CLASS/ and test/CLASS/.

    python benchmarks/time_to_auroc.py --data CIFAR [--classes ...] [--seeds N] [--set KEY=VALUE]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import pairs
import torch
from torch.utils.flop_counter import FlopCounterMode

from adframe import hookimpl, load_config
from adframe.config.model import RunConfig
from adframe.engine.build import assemble
from adframe.engine.evaluate import evaluate
from adframe.engine.runner import prepare
from adframe.engine.state import Run
from adframe.engine.train import train
from adframe.interfaces import Backbone
from adframe.tables.cost import course, seen_images

CONFIGS = Path(__file__).parents[1] / "configs"
USE_KIND_DEFAULT = "unicon_ha/cifar10_cpu_folder.yaml"
SIZE = 32
#: CSI at as many view passes. Replaces options published for batches of 512 and 1,000 epochs.
CSI = [
    "backbone.width=0.25",
    "optimizer={name: sgd, lr: 0.1, warmup: 0.1}",
    "train={epochs: 36, batch_size: 16}",
]
CONTENDERS = {
    "UniCon-HA": (USE_KIND_DEFAULT, []),
    "UniCon-HA, fast": ("unicon_ha/fast.yaml", [f"scorer={pairs.CROPS}"]),
    "CSI": ("csi/cifar10.yaml", CSI),
}


class Course:
    """Measured points of a run: share of the run, seconds of training, AUROC."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.seen: list[tuple[float, float, float]] = []
        self.started = time.perf_counter()
        self.looking = 0.0

    @hookimpl
    def adframe_epoch_end(self, run: Run, epoch: int) -> None:
        """Scores the run if one of the points was passed."""
        epochs = run.config.train.epochs
        if epoch * self.points // epochs == (epoch - 1) * self.points // epochs:
            return
        now = time.perf_counter()
        trained = now - self.started - self.looking
        self.seen.append((epoch / epochs, trained, evaluate(run).mean_auroc))
        self.looking += time.perf_counter() - now


def data(root: Path, normal: str) -> list[str]:
    """Overrides that set the folder of images and the normal class."""
    where = f"{{name: image_folder, root: '{root}/train', test_root: '{root}/test'"
    return [f"dataset={where}, normal: {normal}, train_limit: 1000, test_limit: 200}}"]


def arithmetic(config: RunConfig) -> int:
    """Multiply-add operations of one image in the whole network."""
    modules = assemble(config).method.modules()
    backbone = next(module for module in modules if isinstance(module, Backbone))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone.eval()(torch.rand(1, 3, SIZE, SIZE))
    return counter.get_total_flops()


def contend(
    settings: list[str], file: str, points: int, unit: int
) -> list[tuple[float, float, float]]:
    """Trains one run. Returns view passes (of ``unit`` multiply-adds), seconds and AUROC."""
    config = load_config(CONFIGS / file, settings)
    run = prepare(config, None)
    each = arithmetic(config) / unit
    passes = [each * count for count in course(config, SIZE)]
    images = seen_images(config, len(run.data.train))
    points_passed = Course(points)
    run.attach(points_passed)
    try:
        train(run)
    finally:
        run.detach()

    def until(share: float) -> float:
        whole = share * len(passes)
        done = sum(passes[: int(whole)]) + sum(passes[int(whole) : int(whole) + 1]) * (whole % 1)
        return done / len(passes) * images

    return [(until(share), seconds, auroc) for share, seconds, auroc in points_passed.seen]


def main() -> None:
    """Runs every contender on every class and seed and prints means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of train/CLASS/ and test/CLASS/")
    parser.add_argument("--classes", nargs="+", default=["automobile", "horse", "ship"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--points", type=int, default=4, help="how often each run is scored")
    parser.add_argument("--only", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    parser.add_argument("--set", action="append", default=[], help="override for every contender")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="factor for the epochs of every contender"
    )
    parser.add_argument("--quick", action="store_true", help="one class, one seed, one epoch")
    given = parser.parse_args()
    if given.data is None:
        raise SystemExit(
            "skipped: needs images of CIFAR-10 as files; name their folder with --data"
        )
    torch.set_num_threads(1)
    classes, seeds = (given.classes[:1], 1) if given.quick else (given.classes, given.seeds)
    rows: list[list[str | float]] = []
    for normal in classes:
        plain = [*data(given.data, normal), *given.set]
        unit = arithmetic(load_config(CONFIGS / USE_KIND_DEFAULT, plain))
        for name in given.only:
            file, own = CONTENDERS[name]
            runs = []
            for seed in range(seeds):
                settings = [*own, *data(given.data, normal), f"seed={seed}", *given.set]
                epochs = load_config(CONFIGS / file, settings).train.epochs
                epochs = 1 if given.quick else max(1, round(given.scale * epochs))
                settings.append(f"train.epochs={epochs}")
                runs.append(contend(settings, file, given.points, unit))
            for at in zip(*runs, strict=True):
                passes, seconds, auroc = (list(column) for column in zip(*at, strict=True))
                mean = statistics.fmean(seconds)
                rows.append([normal, name, f"{passes[0]:,.0f}", mean, pairs.over_seeds(auroc)])
    pairs.table(["normal", "contender", "view passes", "seconds", "AUROC"], rows)


if __name__ == "__main__":
    main()
