"""Common part of scorers of places in an image: windows, or cells of feature maps."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

import torch
from annotated_types import Interval
from torch import Tensor, nn

from adframe import UserError
from adframe.interfaces import Features, Fraction, MapScorer, Positive, RandomKeys, Scorer
from adframe.ops import spread_scores

from .coreset import coreset
from .nearest import NearestCosine

Share = Annotated[float, Interval(gt=0, le=1)]
AT_ONCE = 1 << 14  # places that the inner scorer gets at once


class PlaceOptions(TypedDict, total=False):
    """Types of the options of ``Places``, for its subclasses."""

    of: Scorer | None
    share: Share
    coreset: Share
    regions: Annotated[int, Interval(ge=1, le=16)]
    sigma: Positive | None
    top: Fraction


class Places(MapScorer):
    """A score of each place of an image by another scorer, spread over the pixels around it.

    For the inner scorer each place is an image. It is fitted on the places of all training images.

    Args:
        of: The inner scorer; ``nearest_cosine`` without augmentation by default.
        share: [guess: 1] Share of the places of each training image that is kept, drawn at random.
        coreset: [guess: 1] Share of these that is kept by a greedy choice: the place farthest from
            all chosen ones is next (PatchCore; Roth et al., CVPR 2022). Takes memory and time from
            scoring, and adds some to fitting.
        regions: [guess: 1] Cuts the image in this many rows and columns of regions. A place is
            compared only with places of the training images in and around the same region. Use it
            for parts that always lie alike.
        sigma: Standard deviation in pixels of the Gaussian that spreads scores.
        top: [guess: 0] The image's score is the mean of this share of its pixels, those of highest
            score; 0 takes the highest pixel.
    """

    def __init__(
        self,
        of: Scorer | None = None,
        share: Share = 1.0,
        coreset: Share = 1.0,
        regions: Annotated[int, Interval(ge=1, le=16)] = 1,
        sigma: Positive | None = None,
        top: Fraction = 0.0,
    ) -> None:
        self.of = NearestCosine() if of is None else of
        if isinstance(self.of, MapScorer):
            raise ValueError("the inner scorer gives maps itself; name one that scores images")
        if self.of.view_spec().windows is not None or self.of.view_spec().stages:
            raise ValueError("the inner scorer must read whole images")
        self.needs_exposed, self.needs_classes = self.of.needs_exposed, self.of.needs_classes
        self.needs_fit = self.of.needs_fit
        self.share = share
        self.coreset = coreset
        self.regions = regions
        self.sigma = sigma
        self.top = top
        self._inner: list[Scorer] = [copy.deepcopy(self.of) for _ in range(regions**2)]

    @abstractmethod
    def places(self, features: Features) -> tuple[dict[str, Tensor], list[float], list[float]]:
        """Outputs of each place, (N, views, shifts, D, rows, columns), and the places' centres."""

    @abstractmethod
    def width(self, size: Sequence[int]) -> float:
        """Default standard deviation in pixels of the Gaussian that spreads scores."""

    def collect(self, features: Features) -> Features:
        outputs, rows, columns = self.places(features)
        flat = {name: _flat(values) for name, values in outputs.items()}
        flat["place"] = self._relative(features, rows, columns)
        per_image = len(rows) * len(columns)
        for name in ("label", "index"):
            flat[name] = features[name].repeat_interleave(per_image)
        kept = round(self.share * per_image)
        if kept < per_image:
            drawn = RandomKeys.from_index(0, features["index"]).uniform(per_image)
            chosen = drawn.argsort(dim=1)[:, : max(1, kept)].sort(1).values
            chosen += per_image * torch.arange(len(chosen))[:, None]
            flat = {name: values[chosen.flatten()] for name, values in flat.items()}
        return flat

    def fit(self, features: Features) -> None:
        for region, scorer in enumerate(self._inner):
            scorer.fit(self._chosen(features, region))

    def _chosen(self, features: Features, region: int) -> dict[str, Tensor]:
        """Places in and around a region; of these, the share that ``coreset`` keeps."""
        chosen = dict(features)
        if self.regions > 1:
            rows = self._around(features["place"], region)
            chosen = {name: values[rows] for name, values in features.items()}
        if self.coreset < 1:
            count = max(1, round(self.coreset * len(chosen["place"])))
            kept = coreset(chosen["features"].flatten(1), count)
            chosen = {name: values[kept] for name, values in chosen.items()}
        return chosen

    def grow(self, features: Features, limit: int | None) -> Tensor:
        """The share of the new places that ``coreset`` keeps is added to each region's bank.

        With ``limit``, a bank keeps as many places as that many of the new images have.
        """
        if type(self.of).grow is Scorer.grow:
            raise UserError("the inner scorer cannot take more inliers; fit it again, on all")
        count = len(set(features["index"].tolist()))
        for region, scorer in enumerate(self._inner):
            chosen = self._chosen(features, region)
            places = len(chosen["place"]) / count
            scorer.grow(chosen, None if limit is None else max(1, round(limit * places)))
        return torch.empty(0, dtype=torch.int64)  # a bank of places is none of images

    def expose(self, features: Features) -> None:
        for region, scorer in enumerate(self._inner):
            rows = self._around(features["place"], region)
            scorer.expose({name: values[rows] for name, values in features.items()})

    def maps(self, features: Features) -> Tensor:
        outputs, rows, columns = self.places(features)
        flat = {name: _flat(values) for name, values in outputs.items()}
        if torch.compiler.is_exporting():
            scores = self._inner[0].score(flat).float()
        else:
            scores = self._in_parts(flat, self._region(self._relative(features, rows, columns)))
        grid = scores.view(-1, len(rows), len(columns))
        size: list[int] = features["size"][0].tolist()
        return spread_scores(grid, rows, columns, size, self.sigma or self.width(size))

    def _in_parts(self, flat: Features, region: Tensor) -> Tensor:
        scores = torch.empty(len(region))
        for number, scorer in enumerate(self._inner):
            for part in torch.split((region == number).nonzero().flatten(), AT_ONCE):
                if len(part):
                    some = {name: values[part] for name, values in flat.items()}
                    scores[part] = scorer.score(some).float()
        return scores

    def module(self) -> nn.Module | None:
        return super().module() if self.regions == 1 and self.of.module() is not None else None

    def reduce(self, maps: Tensor) -> Tensor:
        pixels = maps.flatten(1)
        return pixels.topk(max(1, round(self.top * pixels.shape[1])), dim=1).values.mean(1)

    def state(self) -> dict[str, Any]:
        return {
            f"{region}.{name}": value
            for region, scorer in enumerate(self._inner)
            for name, value in scorer.state().items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        for region, scorer in enumerate(self._inner):
            start = f"{region}."
            own = {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
            scorer.restore(own)

    def _relative(
        self, features: Features, rows: Sequence[float], columns: Sequence[float]
    ) -> Tensor:
        """Place of each row of ``_flat``, (N x rows x columns, 2), in 0..1 of height and width."""
        height, width = features["size"][0].tolist()
        grid = torch.cartesian_prod(torch.tensor(rows) / height, torch.tensor(columns) / width)
        return grid.view(-1, 2).repeat(len(features["size"]), 1)

    def _region(self, place: Tensor) -> Tensor:
        row, column = (place * self.regions).long().clamp(0, self.regions - 1).unbind(1)
        return row * self.regions + column

    def _around(self, place: Tensor, region: int) -> Tensor:
        """Rows of the places in a region and in the half of a region around it; all if none is."""
        centre = torch.tensor(divmod(region, self.regions)) + 0.5
        away = (place * self.regions - centre).abs().amax(1)
        near = away < 1.0
        return (near if near.any() else ~near).nonzero().flatten()


def _flat(values: Tensor) -> Tensor:
    """Outputs with one row for each place: (N x rows x columns, views, shifts, D)."""
    return values.movedim((-2, -1), (1, 2)).flatten(0, 2)
