"""Whether decisions keep their rate of false alarms, on real images: a table for the documentation.

    python benchmarks/false_alarms.py data/magnetic_tile/train/good data/magnetic_tile/test/good

The normal images of the folders are split at random, again and again: 60 % are what the scorer
``raw_pixels`` compares with, 20 % calibrate, and the rest are new images. No network is trained.

The calls of one split share its calibration images, so their number varies more than a binomial
one: it is beta-binomial if the images are exchangeable. ``of splits inside`` counts splits whose
number of false alarms lies in the central 95 % of that distribution. The first interval is the
central 95 % for all splits together, from the variance of a split.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy.stats import betabinom, binom

import adframe
from adframe.engine.decision import p_values

RATES = (0.01, 0.05, 0.1)
SIDE = 32


def main() -> None:
    """Print one row for each rate."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="folders of normal images")
    parser.add_argument("--splits", type=int, default=20)
    arguments = parser.parse_args()
    files = adframe.find_images(arguments.folders)
    pixels = adframe.read_images(files, SIDE, fit="squash").float().div(255)
    features = pixels.flatten(1)[:, None, None]  # (N, views, shifts, D)
    values = np.stack([of_split(features, seed) for seed in range(arguments.splits)])
    splits, new = values.shape
    held = calibration_images(len(files))
    print(f"{len(files)} images, {splits} splits: {held} calibrate, {new} are new\n")
    print("| asked | realised | expected | 95 % interval | binomial 95 % | of splits inside |")
    print("| --: | --: | --: | --: | --: | --: |")
    for rate in RATES:
        called = (values <= rate).sum(1)
        least = int(rate * (held + 1) + 1e-9)
        of_split_ = betabinom(new, least, held + 1 - least)
        low, high = of_split_.interval(0.95)
        inside = int(((called >= low) & (called <= high)).sum())
        expected = least / (held + 1)
        wide = 1.96 * of_split_.std() / splits**0.5 / new
        plain = np.array(binom.interval(0.95, splits * new, expected)) / (splits * new)
        print(
            f"| {rate:.0%} | {called.mean() / new:.2%} | {expected:.2%} "
            f"| {max(0, expected - wide):.2%} to {expected + wide:.2%} "
            f"| {plain[0]:.2%} to {plain[1]:.2%} | {inside} of {splits} |"
        )


def calibration_images(count: int) -> int:
    """Number of calibration images: a fifth."""
    return count // 5


def of_split(features: torch.Tensor, seed: int) -> np.ndarray:
    """P-values of the new images of one split."""
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))
    held = calibration_images(len(features))
    known, calibrating, new = order.split([len(order) - 2 * held, held, held])
    scorer = adframe.build("scorer", "raw_pixels")
    scorer.fit({"pixels": features[known]})
    calibration = scorer.score({"pixels": features[calibrating]}).sort().values
    return p_values(scorer.score({"pixels": features[new]}).numpy(), calibration.numpy())


if __name__ == "__main__":
    main()
