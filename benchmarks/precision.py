"""A UniCon-HA step in bfloat16 autocast against float32, on this machine's CPU.

ResNet-18 at half the width: forward under autocast, as in the training loop, and backward. On a CPU
without bfloat16 instructions autocast only costs time; the output shows whether this CPU has them.
``gradient off by`` is the relative distance of the bfloat16 gradient from the float32 gradient, at
initialisation. CPU seconds, best of interleaved rounds.

    python benchmarks/precision.py [--quick]
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pairs
import steps
import torch
from torch import Tensor


def native() -> str:
    """The bfloat16 matrix instructions of this CPU, or "none" (Linux)."""
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii").split()
    found = [flag for flag in ("amx_bf16", "avx512_bf16") if flag in flags]
    return ", ".join(found) or "none"


def main() -> None:
    """Compares and prints the table."""
    quick = pairs.arguments(__doc__).quick
    width, inliers, rounds = (0.25, 2, 2) if quick else (0.5, 2, 2)
    of = steps.method(width, {"name": "hierarchical"}, [1, 2, 3, 4])
    plain = steps.step(of, inliers)
    gradients: dict[str, Tensor] = {}

    def keep(name: str, run: Callable[[], Tensor]) -> Callable[[], None]:
        def wrapped() -> None:
            run()
            parts = [p.grad.flatten() for p in of.parameters() if p.grad is not None]
            gradients[name] = torch.cat(parts)

        return wrapped

    def half() -> Tensor:
        of.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            (update,) = of.step(steps.batch(inliers), 0.0)
        update.loss.backward()
        return update.loss.detach()

    cpu = pairs.seconds({"fp32": keep("fp32", plain), "bf16": keep("bf16", half)}, rounds)
    exact = gradients["fp32"]
    rows: list[list[str | float]] = [
        [name, value, cpu["fp32"] / value, float((gradients[name] - exact).norm() / exact.norm())]
        for name, value in cpu.items()
    ]
    print(f"bfloat16 instructions: {native()}\n")
    pairs.table(["precision", "CPU s", "times faster", "gradient off by"], rows)


if __name__ == "__main__":
    main()
