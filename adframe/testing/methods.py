"""Checks of methods."""

from __future__ import annotations

from dataclasses import replace
from unittest import SkipTest

import torch
from torch import Tensor

from adframe.engine import returned
from adframe.engine.descent import descend, trained_parameters
from adframe.engine.together import step_of
from adframe.interfaces import Augmentation, Batch, LossTerm, Method, MethodParts, RandomKeys
from adframe.parallel.world import ALONE, World
from adframe.testing.fakes import TURN, SmallNet, SmallSteps, Spread, Still, WholeNet
from adframe.testing.ranks import on_ranks
from adframe.testing.subject import Subject, close, devices


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
    schedule, side = WholeNet(augmentation), subject.image_size
    parts = MethodParts(net or SmallNet(), [TURN], schedule, objective, 1, image_size=(side, side))
    try:
        method.setup(parts)
    except ValueError as error:
        raise SkipTest(f"{subject} does not fit the kit's parts: {error}") from error
    method.to(device)
    if fresh:
        torch.manual_seed(seed)
        with torch.no_grad():
            method.eval().begin([_batch(subject, device)])
    return method


def _batch(subject: Subject, device: torch.device | str = "cpu") -> Batch:
    count, side = 4, subject.image_size
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 3, side, side), generator=generator).byte().to(device)
    label = torch.full((count,), -1, device=device)
    return Batch(pixels, label, RandomKeys.from_index(0, torch.arange(count, device=device)))


def _step(
    method: Method, batch: Batch, progress: float = 0.0, world: World = ALONE
) -> list[Tensor]:
    """Train on one batch like the training loop; returns the losses."""
    groups = trained_parameters(method)
    optimizers = {name: SmallSteps(group) for name, group in groups.items() if group}
    losses = []
    torch.manual_seed(0)
    fresh = replace(batch, keys=RandomKeys(batch.keys.values))  # keys count what is drawn of them
    updates = method.train().step(fresh, progress)
    problem = returned.updates(updates)
    assert not problem, problem
    while True:
        with step_of(world):
            update = next(updates, None)
        if update is None:
            break
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
        _step(_method(subject, device=device), _batch(subject, device))


def method_is_the_same_on_two_ranks(subject: Subject) -> None:
    """Two processes that share the rows of a step compute what one computes.

    See ``Method.by_rows``. What no process shares, each computes; that is right, but not faster.
    """

    def trained(world: World) -> dict[str, Tensor]:
        method = _method(subject)
        _step(method, _batch(subject), world=world)
        return {name: value.clone() for name, value in method.state_dict().items()}

    _method(subject)  # in this thread, where a test may be skipped
    alone, *together = trained(ALONE), *on_ranks(2, trained)
    for found in together:
        for name, value in alone.items():
            close(found[name], value, f"{name} after a step of two ranks", 1e-3)


def method_leaves_frozen_weights(subject: Subject) -> None:
    """A step with frozen weights in the backbone trains the others and keeps these bit for bit."""
    for everything in (False, True):
        net = SmallNet()
        (net if everything else net.first).requires_grad_(False)
        method = _method(subject, net=net)
        frozen = {name: p for name, p in method.named_parameters() if not p.requires_grad}
        before = {name: parameter.detach().clone() for name, parameter in frozen.items()}
        _step(method, _batch(subject))
        for name, parameter in frozen.items():
            assert torch.equal(parameter, before[name]), f"the frozen weight {name} was changed"


def method_is_deterministic_for_a_seed(subject: Subject) -> None:
    """Equal seeds give equal methods and equal steps."""
    one, other = (_step(_method(subject), _batch(subject)) for _ in range(2))
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first, second), "equal seeds give different losses"


def method_embeds_each_image_separately(subject: Subject) -> None:
    """``embed`` gives (N, D) for each of ``outputs()``, and treats each image separately."""
    method = _method(subject).eval()
    images = _batch(subject).pixels.float() / 255
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
    _step(one, _batch(subject))
    other.load_state_dict(one.state_dict())
    images = _batch(subject).pixels.float() / 255
    with torch.no_grad():
        expected, found = one.eval().embed(images), other.eval().embed(images)
    for name, value in expected.items():
        close(found[name], value, f"'{name}' reloaded", 1e-6)


def _counts(method: Method) -> dict[str, int]:
    """Whole numbers among the attributes of the modules of a method."""
    return {
        f"{name}.{key}".lstrip("."): value
        for name, module in method.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, int) and key != "training"
    }


def method_resumes_from_its_state(subject: Subject) -> None:
    """A method restored after a step continues like one that was not stopped.

    What ``step`` counts must be in the state, as a buffer: a number in an attribute is lost.
    """
    batch = _batch(subject)
    whole = _method(subject)
    _step(whole, batch)
    state = {name: value.clone() for name, value in whole.state_dict().items()}
    before = _counts(whole)
    expected = [_step(whole, batch) for _ in range(2)]
    counted = sorted(name for name, value in _counts(whole).items() if before.get(name) != value)
    assert not counted, f"a step changes {', '.join(counted)}, which no state has; use a buffer"
    resumed = _method(subject, fresh=False)
    for name, buffer in resumed.named_buffers():
        if not buffer.numel() and name in state:
            owner, _, key = name.rpartition(".")
            setattr(resumed.get_submodule(owner), key, torch.empty_like(state[name]))
    resumed.load_state_dict(state)
    found = [_step(resumed, batch) for _ in range(2)]
    for one, other in zip(expected, found, strict=True):
        close(torch.stack(other), torch.stack(one), "losses after resuming", 1e-6)
