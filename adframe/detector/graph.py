"""A detector as one torch module: from pixels to scores, without Python around it."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from adframe.data.region import lowest_outside
from adframe.detector.detector import Detector
from adframe.engine.features import PIXELS
from adframe.engine.views import drawn
from adframe.errors import UserError
from adframe.interfaces import MapScorer, Scorer, ViewSpec, every_variant
from adframe.ops.image import to_float
from adframe.random import RandomKeys, content_factors, seed_of
from adframe.registry.registry import name_of

#: What to do if a scorer cannot be exported.
REMEDY = "fit another scorer and export that: adframe evaluate RUN --set scorer=knn --out DIR"


class Graph(nn.Module):
    """Scores of (N, 3, H, W) images of the reading size, with maps and decisions if there are any.

    Images are uint8, or floating point in 0..1, which is rounded to 256 values as it is in Python.

    Args:
        detector: its first scorer is used.

    Raises:
        UserError: a part of it has no form as a module; one line that names it.
    """

    factors: Tensor  # of the pixels of an image, if it draws views
    counted: Tensor  # the pixels of a map in the mask of a region, if there is one

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        scorer = detector.scorers[0]
        self.method = detector.method
        self.scoring = _module_of(scorer)
        self._scorer, self._shifts = scorer, detector.shifts
        self._spec = scorer.view_spec()
        self._size = list(detector.size[1:])
        self._seed = seed_of(detector.config.seed, "views")
        self.random = bool(_random(self._spec))  #: whether it draws views, by each image's content
        if self.random:
            self.register_buffer("factors", content_factors(math.prod(detector.size)))
        counted = detector.reading.counted()
        self.masked = counted is not None  #: whether maps have their lowest value outside of a mask
        if counted is not None:
            self.register_buffer("counted", counted)
        self.threshold: float | None = None
        if detector.config.decision is not None:
            self.threshold = detector.threshold

    @property
    def outputs(self) -> list[str]:
        """Names of what ``forward`` returns."""
        maps = ["maps"] if isinstance(self._scorer, MapScorer) else []
        return ["scores", *maps, *([] if self.threshold is None else ["anomalous"])]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Scores (N,); maps (N, H, W) if the scorer gives any; anomalous (N,) bool if decided."""
        if images.is_floating_point():
            images = (images * 255).round().to(torch.uint8)
        made = self.scoring(self._features(images))
        found: list[Tensor] = [made.float()]
        if isinstance(self._scorer, MapScorer):
            found.insert(0, self._scorer.reduce(made).float())
            if self.masked:
                found[1] = lowest_outside(found[1], self.counted)
        if self.threshold is not None:
            found.append(found[0] >= self.threshold)
        return tuple(found)

    def _features(self, images: Tensor) -> dict[str, Tensor]:
        spec, count = self._spec, images.shape[0]  # len would fix it
        shifts = self._shifts if spec.apply_shifts else []
        if self.random:
            # A product: onnxruntime sums large integers in floating point.
            content = images.flatten(1).to(torch.int64) @ self.factors
            keys = RandomKeys.from_index(self._seed, content)
            each = [keys.fold_in(number).values for number in range(spec.views)]
            images = images.repeat(spec.views, 1, 1, 1)
            made = list(drawn(images, spec, shifts, RandomKeys(torch.cat(each))))
        else:
            made = every_variant(images, shifts)
        views = [self._outputs(to_float(view)) for view in made]
        features = {  # (views x N, ...) of each variant -> (N, views, variants, ...)
            name: _apart(torch.stack([view[name].float() for view in views], 1), spec.views, count)
            for name in views[0]
        }
        if spec.stages:
            features["size"] = cast(Tensor, _Sizes(self._size))
        return features

    def _outputs(self, images: Tensor) -> dict[str, Tensor]:
        spec, found = self._spec, dict[str, Tensor]()
        names = [name for name in spec.outputs if name != PIXELS]
        if len(names) < len(spec.outputs):
            found[PIXELS] = images.flatten(1)
        if names:
            made = self.method.embed_only(images, names)
            found |= {name: made[name] for name in names}
        if spec.stages:
            maps = self.method.feature_maps(images, max(spec.stages))
            found |= {f"stage_{stage}": maps[stage - 1] for stage in spec.stages}
        return found


class _Sizes:
    """``size`` of the features, all alike and known: a graph knows no value of a tensor."""

    def __init__(self, size: list[int]) -> None:
        self.size = size

    def __getitem__(self, index: int) -> _Sizes:
        return self

    def tolist(self) -> list[int]:
        """Height and width."""
        return self.size


def _apart(rows: Tensor, views: int, count: int) -> Tensor:
    return rows.view(views, count, *rows.shape[1:]).transpose(0, 1)


def _module_of(scorer: Scorer) -> nn.Module:
    """The module of a scorer.

    Raises:
        UserError: there is none, or it needs features that no graph can make.
    """
    spec, who = scorer.view_spec(), name_of(scorer)
    if spec.compute is not None:
        raise UserError(
            f"{who} computes with gradients or a search, which no graph holds; {REMEDY}"
        )
    if spec.windows is not None:
        raise UserError(f"{who} scores windows one by one, which is not exported; {REMEDY}")
    module = scorer.module()
    if module is None:
        raise UserError(
            f"{who} cannot be exported with these options: it gives no module; {REMEDY}"
        )
    return module


def explained(detector: Detector, problem: str) -> UserError:
    """Why a graph could not be traced, with what may be the reason and a way out."""
    names = " and ".join(map(name_of, _random(detector.scorers[0].view_spec())))
    why = f" (it draws random views by {names})" if names else ""
    return UserError(f"cannot be exported{why}: {problem}; {REMEDY}")


def _random(spec: ViewSpec) -> list[Any]:
    return [each for each in (spec.transform, spec.pre_shift) if each is not None]
