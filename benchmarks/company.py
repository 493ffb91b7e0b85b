"""Rounding differences of scores between batch sizes (docs/concepts/reliability.md).

    python benchmarks/company.py

Untrained networks of several widths score the test images of the quickstart all at once, in another
order, and a few at a time. Prints the largest difference of a score. Scores lie in 0..2; a
difference of 0 means equal bits.
"""

from __future__ import annotations

import warnings

import torch

from adframe.config.model import load_config
from adframe.engine.runner import prepare
from adframe.engine.scoring import fit, score

MIN_BATCH = (1, 2, 3, 5, 8, 16, 31)


def main() -> None:
    """Prints one line per width."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"{chr(32) * 7}{'order':>12}  " + "  ".join(f"{few:>5} a time" for few in MIN_BATCH))
    for width in (0.0625, 0.125, 0.25, 0.5):
        config = load_config("configs/quickstart.yaml", [f"backbone.width={width}"])
        run = prepare(config, None)
        method, shifts, one = run.assembly.method, run.assembly.shifts, run.assembly.scorers[:1]
        fit(one, method, shifts, run.data.train, config.seed)
        every = [images.pixels for images in run.test_sets.values()]
        pixels = torch.cat([p.index_select(0, torch.arange(len(p))) for p in every])[:64]
        (together,) = score(one, method, shifts, pixels, config.seed)
        order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))
        (backwards,) = score(one, method, shifts, pixels[order], config.seed)
        differences = [float((backwards - together[order]).abs().max())]
        for few in MIN_BATCH:
            blocks = torch.split(pixels, few)
            apart = torch.cat([score(one, method, shifts, b, config.seed)[0] for b in blocks])
            differences.append(float((apart - together).abs().max()))
        print(f"{width:<6} " + "  ".join(f"{value:>12.1e}" for value in differences))


if __name__ == "__main__":
    main()
