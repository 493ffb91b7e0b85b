"""From a trained method to scores, and from scores to AUROC."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn.functional import normalize

from adframe.data.lazy import blocks, choose, feed, onto
from adframe.errors import UserError
from adframe.interfaces import (
    Features,
    Images,
    Look,
    Method,
    Pixels,
    Scorer,
    Shift,
    count_variants,
    every_variant,
)
from adframe.ops.nearest import COLUMNS, max_cosine
from adframe.random import Draws, seed_of

ROWS = 512  # images in one pass through the network at test time, views and shifts counted
FLOATS = 256 << 20  # bytes of images as floating point that the pixel floor compares at once
FEW = 4  # images fewer than which are computed otherwise, with other rounding, by CPU libraries


@dataclass
class Outcome:
    """The scores of one scorer on every test image, and what they are worth.

    Attributes:
        scores: outlier set -> (N,) float32, inliers of the test split first, then the outliers.
        auroc: outlier set -> area under the ROC curve, 0..1.
    """

    auroc: dict[str, float]
    scores: dict[str, Tensor] = field(repr=False)

    @property
    def mean(self) -> float:
        """Mean AUROC over the outlier sets."""
        return float(np.mean(list(self.auroc.values())))

    def dump(self) -> dict[str, Any]:
        """AUROC as ``result.json`` has it."""
        return {"auroc": self.auroc, "mean_auroc": self.mean}


def test_sets(title: str, test: Images, outliers: dict[str, Images]) -> dict[str, Images]:
    """The test images as named parts: ``inliers`` and one part for each outlier set.

    Raises:
        UserError: there is nothing to tell apart.
    """
    parts = {"inliers": _where(test, ~test.outlier)}
    if bool(test.outlier.any()):
        parts[title] = _where(test, test.outlier)
    for name, images in outliers.items():
        parts[name] = images
    for name, images in parts.items():
        if not len(images):
            raise UserError(f"the test split holds no {name}; AUROC needs inliers and outliers")
    if len(parts) == 1:
        raise UserError(
            "the test split holds no outliers and 'outliers' names no other data set; "
            "AUROC needs both"
        )
    return parts


def _where(images: Images, chosen: Tensor) -> Images:
    rows = torch.nonzero(chosen).flatten()
    names = [images.names[row] for row in rows.tolist()]
    pixels = choose(images.pixels, rows)
    return Images(pixels, images.label[rows], images.outlier[rows], names)


@torch.no_grad()
def look_at(
    method: Method, shifts: Sequence[Shift], pixels: Pixels, look: Look, seed: int
) -> Iterator[dict[str, Tensor]]:
    """Features of images as a scorer wants to see them, a few images at a time.

    Yields:
        output name -> (n, views, shifts + 1 or 1, D) float32 on the CPU, in the order of
        ``pixels`` (N, 3, H, W) uint8; memory does not grow with N.
    """
    device = next(method.parameters()).device
    variants = count_variants(shifts) if look.shifted else 1
    chunk = max(2 * FEW, ROWS // (look.views * variants))
    was_training = method.training
    method.eval()
    try:
        order = torch.arange(len(pixels)).tensor_split(max(1, math.ceil(len(pixels) / chunk)))
        for part in feed(pixels, order):
            block = onto(device, part)
            drawn = look.transform is not None or look.before is not None
            draws = Draws.by_content(seed_of(seed, "views"), block) if drawn else None
            outputs = [
                method.embed(images)
                for view in range(look.views)
                for images in _views(block, look, shifts, draws and draws.fork(view))
            ]
            yield {
                name: torch.stack([output[name].float() for output in outputs], dim=1)
                .view(len(block), look.views, variants, -1)
                .cpu()
                for name in look.outputs
            }
    finally:
        method.train(was_training)


def _views(
    images: Tensor, look: Look, shifts: Sequence[Shift], draws: Draws | None
) -> Iterator[Tensor]:
    """One view of each image, plain and then under each variant of each shift if asked.

    Draws are needed where the look has something random.
    """
    if look.before is not None and draws is not None:
        images = look.before(images, draws.fork(0))
    for shifted in every_variant(images, shifts) if look.shifted else [images]:
        if look.transform is not None and draws is not None:
            view = look.transform(shifted, Draws(draws.keys))
        else:
            view = shifted if shifted.is_floating_point() else shifted.float() / 255
        yield view.contiguous(memory_format=torch.channels_last)


def fit(
    scorers: Sequence[Scorer],
    method: Method,
    shifts: Sequence[Shift],
    train: Images,
    seed: int,
    exposed: Images | None = None,
) -> None:
    """Fit scorers on the features of the training images, and of known outliers where they ask.

    Scorers that want to look alike share what is seen.
    """
    for look, alike in _by_look(scorers).items():

        def features(images: Images, look: Look = look) -> Features:
            blocks = list(look_at(method, shifts, images.pixels, look, seed))
            return {name: torch.cat([b[name] for b in blocks]) for name in blocks[0]}

        seen = {**features(train), "label": train.label}
        for index in alike:
            scorers[index].fit(seen)
        asking = [scorers[index] for index in alike if scorers[index].needs_exposed]
        if asking and exposed is not None:
            known = features(exposed)
            for scorer in asking:
                scorer.expose(known)


def score(
    scorers: Sequence[Scorer], method: Method, shifts: Sequence[Shift], pixels: Pixels, seed: int
) -> list[Tensor]:
    """Of each scorer, (N,) float32 scores of (N, 3, H, W) uint8 images; higher = more anomalous.

    An image's score is the same in any company: fewer than ``FEW`` are filled up with copies.
    """
    filled = pixels
    if len(pixels) < FEW:
        copies = pixels[-1:].expand(FEW - len(pixels), *pixels.shape[1:])
        filled = torch.cat([pixels[:], copies])
    found: list[list[Tensor]] = [[] for _ in scorers]
    for look, alike in _by_look(scorers).items():
        for block in look_at(method, shifts, filled, look, seed):
            for index in alike:
                found[index].append(scorers[index].score(block).float().cpu())
    return [torch.cat(blocks)[: len(pixels)] for blocks in found]


def _by_look(scorers: Sequence[Scorer]) -> dict[Look, list[int]]:
    """Which of the scorers want to see the same, so that the network sees it once."""
    alike: dict[Look, list[int]] = {}
    for index, scorer in enumerate(scorers):
        alike.setdefault(scorer.look(), []).append(index)
    return alike


def auroc(scores: dict[str, Tensor]) -> dict[str, float]:
    """AUROC of each outlier set against the inliers, from the scores of the parts."""
    inliers = scores["inliers"].numpy()
    values = {}
    for name, outliers in scores.items():
        if name != "inliers":
            both = np.concatenate([inliers, outliers.numpy()])
            truth = np.repeat([0, 1], [len(inliers), len(outliers)])
            values[name] = float(roc_auc_score(truth, both))
    return values


def pixel_floor(train: Images, parts: dict[str, Images]) -> dict[str, Outcome]:
    """What the nearest training image gets on raw pixels, untrained: by cosine, and by distance.

    The cosine is that of images less their own mean: brightness alone would hide all else. Memory
    does not grow with the number of images.
    """

    def unit(rows: Tensor) -> Tensor:
        return normalize(rows - rows.mean(1, keepdim=True))

    def floats(images: Images, rows: int) -> Iterator[Tensor]:
        fit = max(1, FLOATS // (4 * images.pixels.shape[1:].numel()))
        return (block.flatten(1).float() for block in blocks(images.pixels, min(rows, fit)))

    cosine = {name: torch.full((len(images),), torch.inf) for name, images in parts.items()}
    l2 = {name: torch.full((len(images),), torch.inf) for name, images in parts.items()}
    for bank in floats(train, COLUMNS):
        units = unit(bank)
        for name, images in parts.items():
            start = 0
            for block in floats(images, ROWS):
                rows = slice(start, start := start + len(block))
                for of, found in (
                    (cosine[name], 1 - max_cosine(unit(block), units)),
                    (l2[name], torch.cdist(block, bank).amin(1)),
                ):
                    torch.minimum(of[rows], found, out=of[rows])
    floor = {"cosine": cosine, "l2": l2}
    return {measure: Outcome(auroc(of), of) for measure, of in floor.items()}
