"""Whether decisions keep their rate of false alarms, on real images: a table for the documentation.

    python benchmarks/false_alarms.py data/magnetic_tile/train/good data/magnetic_tile/test/good
    python benchmarks/false_alarms.py lfw_faces
    python benchmarks/false_alarms.py --simulated 1000

The normal images of the folders, or the faces of the data set ``lfw_faces``, are split at random,
again and again: 60 % are what the scorer ``raw_pixels`` compares with, 20 % calibrate, and the rest
are new images. No network is trained.

The calls of one split share its calibration images, so their number varies more than a binomial
one: it is beta-binomial if the images are exchangeable. ``of splits inside`` counts splits whose
number of false alarms lies in the central 95 % of that distribution. The first interval is the
central 95 % for all splits together, from the variance of a split.

With ``--simulated N`` there are no images: in each of N splits one new score and 199 of calibration
come from the same distribution, so N calls are independent. Their p-values, each minus a uniform
part of the step 1/200 to the one below, are compared with the uniform distribution
(Kolmogorov-Smirnov).
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from scipy.stats import betabinom, binom, kstest

import adframe
from adframe.engine.decision import p_values

RATES = (0.01, 0.05, 0.1)
SIDE = 32


def main() -> None:
    """Print one row for each rate."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="*", help="folders of normal images, or lfw_faces")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--simulated", type=int, metavar="N", help="splits without images")
    arguments = parser.parse_args()
    if arguments.simulated:
        simulate(arguments.simulated)
    if not arguments.folders:
        return
    pixels = pixels_of(arguments.folders)
    features = pixels.float().div(255).flatten(1)[:, None, None]  # (N, views, shifts, D)
    values = np.stack([of_split(features, seed) for seed in range(arguments.splits)])
    splits, new = values.shape
    held = calibration_images(len(pixels))
    print(f"{len(pixels)} images, {splits} splits: {held} calibrate, {new} are new\n")
    print("| asked | realised | expected | 95 % interval | binomial 95 % | of splits inside |")
    print("| --: | --: | --: | --: | --: | --: |")
    for rate in RATES:
        called = (values <= rate).sum(1)
        least = int(rate * (held + 1) + 1e-9)
        if not least:
            print(f"| {rate:.0%} | {called.mean() / new:.2%} | too few calibration images | | | |")
            continue
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


def pixels_of(sources: list[str]) -> torch.Tensor:
    """Pixels of the normal images, (N, 3, H, W) uint8."""
    if sources == ["lfw_faces"]:
        splits = adframe.build("dataset", "lfw_faces").load(seed=0)
        good = (~splits.test.outlier).nonzero().flatten()
        return torch.cat([splits.train.pixels[:], splits.test.pixels[:][good]])
    return adframe.read_images(adframe.find_images(sources), SIDE, fit="squash")


def simulate(splits: int, held: int = 199) -> None:
    """Print one row for each rate, and the test of the p-values."""
    draw = np.random.default_rng(0)
    scores = draw.gumbel(size=(splits, held + 1)).astype(np.float32)
    values = np.array([p_values(row[:1], np.sort(row[1:]))[0] for row in scores])
    print(f"{splits} simulated splits: {held} calibrate, 1 is new\n")
    print("| asked | realised | binomial 95 % |\n| --: | --: | --: |")
    for rate in RATES:
        low, high = binom.interval(0.95, splits, rate)
        inside = f"{low / splits:.2%} to {high / splits:.2%}"
        print(f"| {rate:.0%} | {(values <= rate + 1e-9).mean():.2%} | {inside} |")
    smooth = values - draw.uniform(size=splits) / (held + 1)
    found = kstest(smooth, "uniform")
    print(f"\nKolmogorov-Smirnov: distance {found.statistic:.3f}, p = {found.pvalue:.2f}\n")


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
