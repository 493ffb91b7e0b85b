"""Checks of schedules and optimizers."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from adframe.interfaces import (
    Optimizer,
    RandomKeys,
)
from adframe.testing.subject import Subject, close, devices

LEVELS = 4


# --- schedules -----------------------------------------------------------------------------------


def schedule_trains_stages_that_exist(subject: Subject) -> None:
    """Levels rise and exist in the network, and are the same at every call."""
    fits = 0
    for levels in range(1, LEVELS + 1):
        schedule = subject.make()
        try:
            plans = [schedule.stages(levels, progress) for progress in (0.0, 0.5, 1.0)]
        except ValueError:
            continue
        fits += 1
        for plan in plans:
            order = [stage.level for stage in plan]
            assert order == sorted(set(order)), f"levels {order} do not rise"
            assert all(1 <= level <= levels for level in order), (
                f"levels {order}, but the network has stages 1..{levels}"
            )
        again = [stage.level for stage in schedule.stages(levels, 0.0)]
        assert again == [stage.level for stage in plans[0]], "two calls at the same progress differ"
        assert plans[0], f"trains none of the {levels} stages"
        known = schedule.levels(levels)
        for progress in (0.618034 * step % 1 for step in range(200)):
            now = tuple(stage.level for stage in schedule.stages(levels, progress))
            assert now in known, f"levels() lacks {now}, which is trained at {progress:.2%}"
    assert fits, f"fits no network of 1 to {LEVELS} stages"


def schedule_augments_each_image_separately(subject: Subject) -> None:
    """The augmentation of each stage gives images in 0..1 that depend on image and key only."""
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    keys = RandomKeys.from_index(0, torch.arange(4)).values
    for levels in range(1, LEVELS + 1):
        try:
            plan = subject.make().stages(levels, 0.5)
        except ValueError:
            continue
        for stage in plan:
            made = stage.augmentation(images, RandomKeys(keys))
            no_larger = max(made.shape[2:]) <= 16
            assert made.shape[:2] == images.shape[:2], (
                f"stage {stage.level}: views have shape {tuple(made.shape)}"
            )
            assert no_larger, (
                f"stage {stage.level}: views of 16x16 images have shape {tuple(made.shape)}"
            )
            assert 0 <= made.min() <= made.max() <= 1, (
                f"stage {stage.level}: views are not within 0..1"
            )
            part = stage.augmentation(images[2:], RandomKeys(keys[2:]))
            close(part, made[2:], f"stage {stage.level}: fewer images", 1e-5)


# --- optimizers ----------------------------------------------------------------------------------


def _problem() -> tuple[nn.Parameter, nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((4, 3), (5,))
    one, other = (nn.Parameter(torch.randn(shape, generator=generator) + 2) for shape in shapes)
    return one, other


def _descend(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        loss = torch.stack([parameter.square().sum() for parameter in parameters]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def optimizer_moves_every_parameter_down(subject: Subject) -> None:
    """A few steps on a sum of squares keep parameters finite and make them smaller."""
    policy: Optimizer = subject.make()
    for device in devices():
        parameters = [nn.Parameter(p.detach().to(device)) for p in _problem()]
        before = [parameter.detach().clone() for parameter in parameters]
        _descend(policy.build(parameters), parameters, 3)
        for parameter, old in zip(parameters, before, strict=True):
            assert parameter.isfinite().all(), "a parameter is not finite"
            assert parameter.detach().norm() < old.norm(), "a parameter did not become smaller"


def optimizer_rate_is_a_factor(subject: Subject) -> None:
    """``rate`` is finite and never negative, and is above 0 at some time of the run."""
    policy: Optimizer = subject.make()
    rates = [policy.rate(step / 50) for step in range(51)]
    assert all(math.isfinite(rate) and rate >= 0 for rate in rates), (
        f"rates are not finite and at least 0: {rates}"
    )
    assert any(rates), "the rate is always 0"


def optimizer_resumes_from_its_state(subject: Subject) -> None:
    """An optimizer restored after two steps continues like one that was not stopped."""
    policy: Optimizer = subject.make()
    whole, halved = list(_problem()), list(_problem())
    _descend(policy.build(whole), whole, 5)
    first = policy.build(halved)
    _descend(first, halved, 2)
    second = policy.build(halved)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    _descend(second, halved, 3)
    for one, other in zip(whole, halved, strict=True):
        close(other.detach(), one.detach(), "after resuming", 1e-6)
