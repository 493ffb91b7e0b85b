"""What Table 1 at the full budget costs on GPUs, and what scoring 10^8 images costs: arithmetic.

    python benchmarks/cost.py [--teraflops 40] [--price 2] [--images 1e8] ...

Counted: multiply-adds of the networks, and views of each run (as ``adframe reproduce --dry-run``
counts them). Measured on this machine, one thread: decoding of a JPEG, and a training step of the
main network on the CPU. Assumed, each an option: what a GPU sustains, what it costs, links, cores.
No GPU was measured. Losses, augmentation on the GPU, evaluation and start-up are not counted.
"""

from __future__ import annotations

import argparse
import heapq
import io
from collections import Counter
from pathlib import Path

import pairs
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

import adframe
from adframe.engine.build import assemble
from adframe.interfaces import Backbone
from adframe.registry.loading import load_plugins
from adframe.tables.cost import Costs
from adframe.tables.definition import read_table
from adframe.tables.files import find_table
from adframe.tables.grid import Cell, make_grid

GPUS = (1, 8, 64)
TRAINING = 3  # forward, and backward with respect to inputs and to weights
HOUR = 3600


def flops(network: Backbone, size: int) -> float:
    """Floating-point operations of a forward pass of one image: two for each multiply-add."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, 3, size, size))
    return float(counter.get_total_flops())


def runs_of_table() -> dict[str, tuple[int, float, float]]:
    """Of each row and task group of Table 1: runs, view passes and operations of one run."""
    loaded = load_plugins()
    table = read_table(find_table("table1"))
    every = make_grid(table, "full", Path(), Path(), loaded, seeds=1, need_data=False).cells
    seeds = len(table.budget("full").seeds)
    number = Counter((cell.row, cell.task.group) for cell in every)
    costs, found = Costs(), dict[str, tuple[int, float, float]]()
    first: dict[tuple[str, str], Cell] = {}
    for cell in every:
        first.setdefault((cell.row, cell.task.group), cell)
    for (row, group), cell in first.items():
        size = table.file.tasks[group].size
        passes = costs.passes(cell.config, cell.images, size) or 0.0
        method = assemble(cell.config, image_size=(size, size)).method
        network = max((m for m in method.modules() if isinstance(m, Backbone)), default=None,
                      key=lambda m: sum(p.numel() for p in m.parameters()))  # fmt: skip
        each = 0.0 if network is None else flops(network, size) * TRAINING * passes
        found[f"{row}, {group}"] = number[row, group] * seeds, passes, each
    return found


def makespan(runs: list[float], workers: int) -> float:
    """Time until all runs have ended, the longest first, each on one worker."""
    busy = [0.0] * workers
    for run in sorted(runs, reverse=True):
        heapq.heappush(busy, heapq.heappop(busy) + run)
    return max(busy)


def measured_step(views: int = 64) -> float:
    """Operations a second of one core in forward and backward passes of the main network."""
    network = adframe.build("backbone", "resnet18")
    images = torch.rand(views, 3, 32, 32)
    took = pairs.seconds({"step": lambda: network(images)[-1].square().mean().backward()}, 2)
    return views * TRAINING * flops(network, 32) / took["step"]


def measured_decoding(side: int) -> tuple[float, float]:
    """Images a second of one core, and bytes of an image: a smooth picture with some noise."""
    keys = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 12, 12, generator=keys)
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic")[0]
    noisy = smooth + 0.03 * torch.randn(3, side, side, generator=keys)
    pixels = (noisy.clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    data = file.getvalue()

    def decode() -> None:
        for _ in range(50):
            Image.open(io.BytesIO(data)).convert("RGB").load()

    return 50 / pairs.seconds({"decode": decode}, 3)["decode"], float(len(data))


def main() -> None:
    """Prints the inputs and both tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = {
        "teraflops": (40, "that a GPU sustains on these networks; a guess, a tenth of the peak"),
        "price": (2, "of a GPU hour"),
        "images": (1e8, "to score"),
        "side": (224, "of an image in pixels"),
        "views": (1, "test-time views of an image"),
        "bank": (10_000, "features that each image is compared with"),
        "cores": (16, "for each GPU, to decode"),
        "gigabits": (25, "a second, that a machine reads from storage"),
        "per-machine": (8, "GPUs of a machine"),
        "decode": (0, "images a second of a core; 0: measured here"),
        "kilobytes": (0, "of an image; 0: as measured here"),
    }
    for name, (value, text) in known.items():
        parser.add_argument(f"--{name}", type=float, default=value, help=f"{text} ({value})")
    parser.add_argument("--quick", action="store_true", help="scoring only")
    given = parser.parse_args()
    rate = given.teraflops * 1e12
    print(f"assumed: {given.teraflops:g} Tflop/s and {given.price:g} an hour for a GPU\n")
    if not given.quick:
        found = runs_of_table()
        total = sum(number * each for number, _, each in found.values())
        runs = [each / rate for number, _, each in found.values() for _ in range(number)]
        core = measured_step()
        print(f"Table 1, full budget: {len(runs)} runs, {total:.3g} operations.")
        print(f"measured here: one core trains at {core / 1e9:.0f} Gflop/s, so it would need "
              f"{total / core / HOUR / 24 / 365:.0f} years\n")  # fmt: skip
        rows: list[list[str | float]] = []
        for name, (number, passes, each) in found.items():
            rows.append([name, str(number), f"{passes / 1e6:,.1f}", each / rate / HOUR,
                         number * each / rate / HOUR])  # fmt: skip
        pairs.table(["row", "runs", "million view passes", "GPU hours a run", "GPU hours"], rows)
        print()
        hours = sum(runs) / HOUR
        pairs.table(
            ["GPUs", "days", "GPU hours", "price"],
            [[str(n), makespan(runs, n) / HOUR / 24, hours, hours * given.price] for n in GPUS],
        )
    side = int(given.side)
    speed, size = measured_decoding(side)
    speed, size = given.decode or speed, given.kilobytes * 1e3 or size
    pass_of = flops(adframe.build("backbone", {"name": "resnet18", "stem": "large"}), side)
    search = 2 * given.bank * 512
    print(f"\n{given.images:.0e} images of {side}x{side}: {size / 1e3:.0f} kB each, "
          f"{speed:.0f} decoded a second by a core\n"
          f"ResNet-18: {pass_of / 1e9:.2f} Gflop a view, {given.views:g} views; "
          f"bank of {given.bank:g}: {search / 1e9:.2f} Gflop\n")  # fmt: skip
    rows = []
    for n in GPUS:
        machines = -(-n // int(given.per_machine))
        parts = {
            "bandwidth": given.images * size * 8 / (given.gigabits * 1e9 * machines),
            "decoding": given.images / (speed * given.cores * n),
            "forward": given.images * given.views * pass_of / (rate * n),
            "search": given.images * given.views * search / (rate * n),
        }
        gpu = parts["forward"] + parts["search"]
        slowest = max(parts["bandwidth"], parts["decoding"], gpu)
        cause = next(name for name, value in {**parts, "GPU": gpu}.items() if value == slowest)
        hours = [value / HOUR for value in parts.values()]
        rows.append([str(n), *hours, slowest / HOUR, cause, slowest / HOUR * n * given.price])
    pairs.table(["GPUs", "bandwidth, h", "decoding, h", "network, h", "search, h", "in all, h",
                 "slowest", "price"], rows)  # fmt: skip


if __name__ == "__main__":
    main()
