"""Checks of metrics."""

from __future__ import annotations

import torch
from torch import Tensor

from adframe.engine import returned
from adframe.interfaces import Scored
from adframe.testing.subject import Subject

COUNT, SIDE = 20, 8


def _scored(seed: int, above: float) -> Scored:
    """Random scores, maps and masks; anomalous pixels score higher by ``above``."""
    generator = torch.Generator().manual_seed(seed)
    masks = [torch.zeros(SIDE, SIDE, dtype=torch.bool) for _ in range(COUNT)]
    for index, mask in enumerate(masks if above else ()):
        mask[index % 4 : index % 4 + 3, 2:5] = True
    maps = torch.rand(COUNT, SIDE, SIDE, generator=generator)
    maps += above * torch.stack(masks)
    return Scored(torch.rand(COUNT, generator=generator) + above, maps, masks)


def _reversed(scored: Scored) -> Scored:
    maps, masks = scored.maps, list(scored.masks)
    assert isinstance(maps, Tensor)
    order = torch.arange(COUNT - 1, -1, -1)
    return Scored(scored.scores[order], maps[order], masks[::-1])


def value_is_a_number(subject: Subject) -> None:
    """``value`` returns a number; scores, maps and masks are not changed."""
    normal, anomalous = _scored(0, 0.0), _scored(1, 0.5)
    kept = [scored.scores.clone() for scored in (normal, anomalous)]
    value = subject.make().value(normal, anomalous)
    problem = returned.figure(value)
    assert not problem, problem
    for scored, before in zip((normal, anomalous), kept, strict=True):
        assert torch.equal(scored.scores, before), "the scores were changed"


def order_does_not_matter(subject: Subject) -> None:
    """The value does not depend on the order of the images."""
    metric = subject.make()
    normal, anomalous = _scored(0, 0.0), _scored(1, 0.5)
    here = metric.value(normal, anomalous)
    there = metric.value(_reversed(normal), _reversed(anomalous))
    assert abs(here - there) < 1e-9, f"{here}, but {there} in another order"
