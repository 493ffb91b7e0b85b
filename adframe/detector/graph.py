"""A detector as one torch module: from pixels to scores, without Python around it."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from adframe.detector.detector import Detector
from adframe.engine.decision import threshold
from adframe.engine.features import PIXELS
from adframe.errors import UserError
from adframe.interfaces import MapScorer, Scorer, every_variant
from adframe.ops.image import to_float
from adframe.registry.registry import name_of


class Graph(nn.Module):
    """Scores of (N, 3, H, W) images of the reading size, with maps and decisions if there are any.

    Images are uint8, or floating point in 0..1, which is rounded to 256 values as it is in Python.

    Args:
        detector: its first scorer is used.

    Raises:
        UserError: a part of it has no form as a module; one line that names it.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        scorer = detector.scorers[0]
        self.method = detector.method
        self.scoring = _module_of(scorer)
        self._scorer, self._shifts = scorer, detector.shifts
        self._spec = scorer.view_spec()
        self._size = list(detector.size[1:])
        self.threshold: float | None = None
        decision = detector.config.decision
        if decision is not None:
            self.threshold = threshold(detector.calibration, decision.false_alarms)

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
        if self.threshold is not None:
            found.append(found[0] >= self.threshold)
        return tuple(found)

    def _features(self, images: Tensor) -> dict[str, Tensor]:
        spec = self._spec
        shifts = self._shifts if spec.apply_shifts else []
        views = [self._outputs(to_float(view)) for view in every_variant(images, shifts)]
        features = {
            name: torch.stack([view[name].float() for view in views], 1)[:, None]
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


def _module_of(scorer: Scorer) -> nn.Module:
    """The module of a scorer.

    Raises:
        UserError: there is none, or it needs views that no graph can make.
    """
    spec, who = scorer.view_spec(), name_of(scorer)
    drawn: list[Any] = [each for each in (spec.transform, spec.pre_shift) if each is not None]
    if drawn:
        names = " and ".join(map(name_of, drawn))
        raise UserError(
            f"{who} draws random views by {names}, which no graph can hold; "
            "evaluate the run with a scorer without augmentation, then export that"
        )
    if spec.windows is not None:
        raise UserError(f"{who} scores windows one by one, which is not exported")
    module = scorer.module()
    if module is None:
        raise UserError(f"{who} cannot be exported with these options: it gives no module")
    return module
