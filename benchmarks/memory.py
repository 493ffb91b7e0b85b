"""A CPU training step with and without keeping freed memory in the process.

Two processes take turns with the same training steps: UniCon-HA at a quarter of the width on random
32x32 images. One of them first makes the call that ``adframe run`` makes to keep freed memory.
Prints the median seconds per step of each, and the ratio.

    python benchmarks/memory.py [--quick]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

STEPS = """
import sys, time, torch, adframe
from adframe.engine.memory import keep_freed_memory
from adframe.interfaces import Batch, RandomKeys, LossTerm, MethodParts
if sys.argv[1] == "kept":
    keep_freed_memory()
torch.manual_seed(0)
method = adframe.build("method", "contrastive")
loss = adframe.build("loss", "uniclr")
method.setup(MethodParts(
    adframe.build("backbone", {"name": "resnet18", "width": 0.25}),
    [adframe.build("shift", "rotation")],
    adframe.build("schedule", "hierarchical"),
    [LossTerm(lambda: loss, None, 1.0)], 1))
method.to(memory_format=torch.channels_last)
pixels = torch.randint(0, 256, (16, 3, 32, 32), dtype=torch.uint8)
batch = Batch(pixels, torch.full((16,), -1), RandomKeys.from_index(0, torch.arange(16)))
for step in range(int(sys.argv[2]) + 1):
    if step == 1:
        started = time.perf_counter()
    for update in method.step(batch, 0.0):
        update.loss.backward()
print((time.perf_counter() - started) / int(sys.argv[2]))
"""


def main() -> None:
    """Runs both in turns and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2 rounds of 4 steps, not 5 of 10")
    quick = parser.parse_args().quick
    rounds, steps = (2, 4) if quick else (5, 10)
    seconds: dict[str, list[float]] = {"kept": [], "given back": []}
    for _ in range(rounds):
        for name, values in seconds.items():
            command = [sys.executable, "-c", STEPS, name, str(steps)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            values.append(float(done.stdout))
    reference = statistics.median(seconds["given back"])
    print(f"{'freed memory':<14}{'s a step':>10}{'times faster':>14}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:<14}{median:>10.3f}{reference / median:>14.2f}")


if __name__ == "__main__":
    main()
