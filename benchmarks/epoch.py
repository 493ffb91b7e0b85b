"""Time of a UniCon-HA step by part and by kind of operation.

A step has random numbers, four view sets, network, heads, losses, backward pass and SGD. There are
two sizes: that of the CPU config (a quarter of the width, 16 inliers, so 128 views) and the
published width (4 inliers). The first table is in per cent of CPU seconds, by part. The second is
in per cent of the profiler's own time, by kind of operation, backward pass included.

    python benchmarks/epoch.py [--quick]
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pairs
import steps
from torch.profiler import ProfilerActivity, profile

import adframe
from adframe.interfaces import Method

KINDS = {
    "convolution": ("mkldnn_convolution", "convolution", "slow_conv", "thnn_conv"),
    "batch normalisation": ("batch_norm",),
    "matrix product": ("aten::mm", "aten::addmm", "aten::bmm"),
    "grid sampling": ("grid_sampler",),
    "copies and layout": ("copy_", "aten::cat", "clone", "repeat", "index_select", "fill_"),
    "elementwise": ("add", "mul", "sub", "div", "relu", "threshold", "clamp", "exp", "lerp"),
}


class PartTimer:
    """CPU seconds by part. The time of an inner part is not counted for the outer part."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inner = [0.0]

    def part(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps a call so that it is timed."""

        def timed(*args: Any, **options: Any) -> Any:
            started = time.process_time()
            self._inner.append(0.0)
            result = call(*args, **options)
            spent = time.process_time() - started
            self.seconds[name] += spent - self._inner.pop()
            self._inner[-1] += spent
            return result

        return timed


def timed(method: Method, timer: PartTimer) -> Method:
    """Times the parts of a method."""
    schedule: Any = method.schedule
    schedule.augmentation = timer.part("augmentation", schedule.augmentation)
    method.shifted_views = timer.part("shifts", method.shifted_views)
    method.backbone.forward = timer.part("network, forward", method.backbone.forward)
    for head in method.heads.values():
        head.forward = timer.part("heads, forward", head.forward)
    for terms in method.terms.values():
        for term in terms:
            term.forward = timer.part("losses, forward", term.forward)
    return method


def measure(width: float, inliers: int, count: int) -> None:
    """Times some steps and prints both tables."""
    timer = PartTimer()
    method = timed(steps.method(width, {"name": "hierarchical"}, [1, 2, 3, 4]), timer)
    optimizer = adframe.build("optimizer", "sgd").build(list(method.parameters()))

    def step() -> None:
        for update in method.step(steps.batch(inliers), 0.0):
            optimizer.zero_grad(set_to_none=True)
            timer.part("backward", update.loss.backward)()
            timer.part("optimiser", optimizer.step)()

    step()
    timer.seconds.clear()
    whole = timer.part("the rest", step)
    for _ in range(count):
        whole()
    total = timer.seconds.total()
    print(f"\nwidth {width}, {8 * inliers} views, {total / count:.2f} CPU s a step\n")
    pairs.table(
        ["part", "per cent"],
        [[name, 100 * value / total] for name, value in timer.seconds.most_common()],
    )
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        step()
    kinds: Counter[str] = Counter()
    for event in recorded.key_averages():
        kind = next((k for k, words in KINDS.items() if any(w in event.key for w in words)), "rest")
        kinds[kind] += event.self_cpu_time_total
    print()
    everything = kinds.total()
    pairs.table(
        ["operation", "per cent"], [[k, 100 * v / everything] for k, v in kinds.most_common()]
    )


def main() -> None:
    """Measures both sizes."""
    quick = pairs.arguments(__doc__).quick
    measure(0.25, 4 if quick else 16, 1 if quick else 3)
    if not quick:
        measure(1.0, 4, 1)


if __name__ == "__main__":
    main()
