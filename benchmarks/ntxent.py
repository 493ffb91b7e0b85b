"""NT-Xent through adframe's kernel against lightly's NTXentLoss, forward and backward.

Two views of every image, width 128, temperature 0.5. Prints CPU seconds (best of interleaved
rounds), the peak memory of one call in a fresh process, and the ratios.

    python benchmarks/ntxent.py [--quick]
"""

from __future__ import annotations

from collections.abc import Callable

import pairs
import torch

from adframe.ops import group_contrast


def contenders(count: int) -> dict[str, Callable[[], float]]:
    """One step of each on the same embeddings of ``count`` views."""
    theirs = pairs.peer("lightly.loss").NTXentLoss(temperature=0.5)
    z = torch.randn(count, 128, generator=torch.Generator().manual_seed(0)).requires_grad_()
    group = torch.arange(count // 2).repeat(2)
    return {
        "lightly": pairs.backward(lambda: theirs(*z.chunk(2)), z),
        "adframe": pairs.backward(lambda: group_contrast(z, group, 0.5).mean(), z),
    }


def main() -> None:
    """Compares at each size and prints the table."""
    sizes = {1024: 3} if pairs.arguments(__doc__).quick else {2048: 7, 8192: 1}
    pairs.compare(contenders, sizes, "views", small=640, agree=["lightly", "adframe"])


if __name__ == "__main__":
    main()
