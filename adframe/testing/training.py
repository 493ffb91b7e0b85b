"""Checks of schedules, methods and optimizers."""

from __future__ import annotations

import copy
import math
from unittest import SkipTest

import torch
from torch import Tensor, nn

from adframe.engine import returned
from adframe.engine.descent import descend, trained_parameters
from adframe.interfaces import (
    Augmentation,
    Batch,
    LossTerm,
    Method,
    MethodParts,
    Optimizer,
    RandomKeys,
)
from adframe.testing.fakes import TURN, SmallNet, SmallSteps, Spread, Still, WholeNet
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


# --- methods -------------------------------------------------------------------------------------


def _method(
    subject: Subject,
    seed: int = 0,
    net: SmallNet | None = None,
    device: torch.device | str = "cpu",
    fresh: bool = True,
) -> Method:
    """A method that is set up; with ``fresh``, it has begun training."""
    method: Method = subject.make(seed)
    augmentation: Augmentation = Still()
    torch.manual_seed(seed)
    objective = [LossTerm(Spread, None, 1.0)]
    schedule = WholeNet(augmentation)
    parts = MethodParts(net or SmallNet(), [TURN], schedule, objective, 1, image_size=(16, 16))
    try:
        method.setup(parts)
    except ValueError as error:
        raise SkipTest(f"{subject} does not fit the kit's parts: {error}") from error
    method.to(device)
    if fresh:
        torch.manual_seed(seed)
        with torch.no_grad():
            method.eval().begin([_batch(device)])
    return method


def _batch(device: torch.device | str = "cpu", count: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 3, 16, 16), generator=generator).byte().to(device)
    label = torch.full((count,), -1, device=device)
    return Batch(pixels, label, RandomKeys.from_index(0, torch.arange(count, device=device)))


def _step(method: Method, batch: Batch) -> list[Tensor]:
    """Train on one batch like the training loop; returns the losses."""
    groups = trained_parameters(method)
    optimizers = {name: SmallSteps(group) for name, group in groups.items() if group}
    losses = []
    torch.manual_seed(0)
    for update in method.train().step(batch, 0.0):
        problem = returned.update(update, groups)
        assert not problem, problem
        assert update.loss.isfinite(), "a loss is not finite"
        for name, metric in update.metrics.items():
            assert not metric.requires_grad, f"metric '{name}' is not detached"
        if optimizer := optimizers.get(update.group):
            descend(update.loss, optimizer, groups[update.group])
            pulls = [p.grad for p in groups[update.group] if p.grad is not None]
            assert all(pull.isfinite().all() for pull in pulls), "a gradient is not finite"
        losses.append(update.loss.detach())
    assert losses, "no update is yielded"
    return losses


def method_trains(subject: Subject) -> None:
    """Each update is a finite scalar of a known group; gradients are finite, metrics detached."""
    for device in devices():
        _step(_method(subject, device=device), _batch(device))


def method_leaves_frozen_weights(subject: Subject) -> None:
    """A step with frozen weights in the backbone trains the others and keeps these bit for bit."""
    for everything in (False, True):
        net = SmallNet()
        (net if everything else net.first).requires_grad_(False)
        method = _method(subject, net=net)
        frozen = {name: p for name, p in method.named_parameters() if not p.requires_grad}
        before = {name: parameter.detach().clone() for name, parameter in frozen.items()}
        _step(method, _batch())
        for name, parameter in frozen.items():
            assert torch.equal(parameter, before[name]), f"the frozen weight {name} was changed"


def method_is_deterministic_for_a_seed(subject: Subject) -> None:
    """Equal seeds give equal methods and equal steps."""
    one, other = (_step(_method(subject), _batch()) for _ in range(2))
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first, second), "equal seeds give different losses"


def method_embeds_each_image_separately(subject: Subject) -> None:
    """``embed`` gives (N, D) for each of ``outputs()``, and treats each image separately."""
    method = _method(subject).eval()
    images = _batch().pixels.float() / 255
    with torch.no_grad():
        together, alone = method.embed(images), method.embed(images[2:3])
    names = method.outputs()
    assert "features" in names, f"outputs() returns {names}"
    for name in names:
        assert name in together, f"embed does not return '{name}'"
        assert together[name].ndim == 2, f"'{name}' has shape {tuple(together[name].shape)}"
        assert len(together[name]) == len(images), f"'{name}' has {len(together[name])} rows"
        close(alone[name], together[name][2:3], f"'{name}' of one image")


def method_reloads(subject: Subject) -> None:
    """``state_dict`` restores the method in another instance after a step."""
    one, other = _method(subject), _method(subject, seed=1)
    _step(one, _batch())
    other.load_state_dict(one.state_dict())
    images = _batch().pixels.float() / 255
    with torch.no_grad():
        expected, found = one.eval().embed(images), other.eval().embed(images)
    for name, value in expected.items():
        close(found[name], value, f"'{name}' reloaded", 1e-6)


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
