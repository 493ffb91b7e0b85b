"""Checks of losses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from adframe.engine import returned
from adframe.interfaces import Loss, LossDims, Views
from adframe.parallel.rows import sharing
from adframe.parallel.world import ALONE, World
from adframe.testing.ranks import on_ranks
from adframe.testing.subject import Subject, close, devices

WIDTH, CLASSES = 8, 3


@dataclass
class Scene:
    """A loss after ``setup``, with a batch of embeddings and their views."""

    name: str
    loss: Loss
    embeddings: Tensor
    views: Views

    def value(self, embeddings: Tensor | None = None, views: Views | None = None) -> Tensor:
        """The value of the loss for these or other embeddings."""
        torch.manual_seed(0)
        value = self.loss(self.embeddings if embeddings is None else embeddings,
                          self.views if views is None else views)  # fmt: skip
        assert isinstance(value, Tensor), f"{self.name}: forward does not return a tensor"
        return value


def _scenes(subject: Subject, device: str | torch.device = "cpu", seed: int = 0) -> Iterator[Scene]:
    """Scenes of two views: shifted images, without and with labels, and unshifted images."""
    settings = {"shifted": (6, 4, False), "labelled": (6, 4, True), "unshifted": (6, 1, False)}
    refusals = []
    for name, (images, variants, labelled) in settings.items():
        loss = subject.make(seed)
        torch.manual_seed(seed)
        try:
            loss.setup(LossDims(WIDTH, variants, CLASSES if labelled else 1))
        except ValueError as error:
            refusals.append(f"{name}: {error}")
            continue
        generator = torch.Generator().manual_seed(1)
        shift = torch.arange(variants).repeat_interleave(images)
        source = torch.arange(images).repeat(variants)
        label = source % CLASSES if labelled else torch.full_like(source, -1)
        pixels = torch.rand(len(shift), 3, 8, 8, generator=generator)
        views = Views(source, shift, label, shift == 0, pixels).repeat(2)
        fields: dict[str, Any] = {n: of for n, of in vars(views).items() if isinstance(of, Tensor)}
        moved = replace(views, **{name: value.to(device) for name, value in fields.items()})
        z = torch.randn(len(views), WIDTH, generator=generator).to(device)
        yield Scene(name, loss.to(device), z, moved)
    assert len(refusals) < len(settings), (
        f"setup refuses all scenes of the kit; give options that fit: {'; '.join(refusals)}"
    )


def _gradient(
    scene: Scene, embeddings: Tensor, views: Views | None = None
) -> tuple[Tensor, Tensor]:
    leaf = embeddings.detach().clone().requires_grad_()
    value = scene.value(leaf, views)
    assert value.requires_grad, f"{scene.name}: the value has no gradient"
    value.backward()  # type: ignore[no-untyped-call]
    pulls = {name: p.grad for name, p in scene.loss.named_parameters() if p.grad is not None}
    for name, pull in pulls.items():
        assert pull.isfinite().all(), f"{scene.name}: the gradient of {name} is not finite"
    if leaf.grad is None:  # a loss may train a head on detached embeddings
        assert pulls, f"{scene.name}: a gradient reaches neither embeddings nor parameters"
        return value.detach(), torch.zeros_like(leaf)
    return value.detach(), leaf.grad


def is_a_finite_scalar_on_the_embeddings_device(subject: Subject) -> None:
    """``forward`` returns a finite 0-d floating-point tensor, on every device."""
    for device in devices():
        for scene in _scenes(subject, device):
            value = scene.value()
            problem = returned.loss_value(value, scene.embeddings)
            assert not problem, f"{scene.name}: {problem}"
            assert value.isfinite(), f"{scene.name}: the loss is {value.item()}"


def does_not_depend_on_row_order(subject: Subject) -> None:
    """Neither the order of rows nor the numbering of images changes value or gradient."""
    for scene in _scenes(subject):
        z, views = scene.embeddings, scene.views
        order = torch.randperm(len(z), generator=torch.Generator().manual_seed(2))
        value, pull = _gradient(scene, z)
        shuffled, pulled = _gradient(scene, z[order], views[order])
        close(shuffled, value, f"{scene.name}: value after shuffling the rows")
        close(pulled, pull[order], f"{scene.name}: gradient after shuffling the rows", 1e-3)
        renamed = replace(views, source=7 - views.source)
        close(scene.value(views=renamed).detach(), value, f"{scene.name}: other image numbers")


def gradients_are_finite(subject: Subject) -> None:
    """Gradients are finite, also for long embeddings and for equal ones."""
    for scene in _scenes(subject):
        z = scene.embeddings
        for what, rows in {"random": z, "long": 100 * z, "equal": z[:1].expand_as(z)}.items():
            value, pull = _gradient(scene, rows)
            assert value.isfinite(), (
                f"{scene.name}: the loss of {what} embeddings is {value.item()}"
            )
            assert pull.isfinite().all(), (
                f"{scene.name}: the gradient of {what} embeddings is not finite"
            )


def one_row_is_finite_or_refused(subject: Subject) -> None:
    """A single row has a finite value and gradient, or ``forward`` raises ``ValueError``."""
    for scene in _scenes(subject):
        first = torch.tensor([0], device=scene.embeddings.device)
        try:
            value, pull = _gradient(scene, scene.embeddings[first], scene.views[first])
        except ValueError:
            continue
        assert value.isfinite(), f"{scene.name}: the loss of one row is {value.item()}"
        assert pull.isfinite().all(), f"{scene.name}: the gradient of one row is not finite"


def works_under_autocast(subject: Subject) -> None:
    """Value and gradient are finite for bfloat16 embeddings under autocast."""
    for device in devices():
        for scene in _scenes(subject, device):
            with torch.autocast(device.type, torch.bfloat16):
                value, pull = _gradient(scene, (10 * scene.embeddings).bfloat16())
            assert value.isfinite(), f"{scene.name}: the loss is {value.item()}"
            assert pull.isfinite().all(), f"{scene.name}: the gradient is not finite"


def is_deterministic_for_a_seed(subject: Subject) -> None:
    """Equal seeds give equal losses and values; the input is not changed."""
    for one, other in zip(_scenes(subject), _scenes(subject), strict=True):
        before = one.embeddings.clone()
        first = one.value()
        assert torch.equal(first, one.value()), f"{one.name}: two calls give different values"
        assert torch.equal(first, other.value()), f"{one.name}: two instances give different values"
        assert torch.equal(one.embeddings, before), f"{one.name}: the embeddings were changed"


def weights_reload(subject: Subject) -> None:
    """``state_dict`` restores the loss in another instance."""
    for one, other in zip(_scenes(subject), _scenes(subject, seed=1), strict=True):
        other.loss.load_state_dict(one.loss.state_dict())
        close(other.value().detach(), one.value().detach(), f"{one.name}: reloaded", 1e-6)


def is_the_same_on_two_ranks(subject: Subject) -> None:
    """Two processes that train one network get the value and the gradient that one gets.

    Each has all embeddings. A loss that shares its anchors does so by ``adframe.ops.by_anchors``.
    """

    def found(world: World) -> list[Tensor]:
        values = []
        for scene in _scenes(subject):
            with sharing(world):
                value = scene.value(leaf := scene.embeddings.clone().requires_grad_())
            if value.requires_grad:
                value.sum().backward()  # type: ignore[no-untyped-call]
            of_weights = [p.grad for p in scene.loss.parameters() if p.grad is not None]
            values += [value.detach(), *of_weights, *([] if leaf.grad is None else [leaf.grad])]
        return [value.nan_to_num() for value in values]  # another check finds these

    alone = found(ALONE)
    for values in on_ranks(2, found):
        for value, expected in zip(values, alone, strict=True):
            close(value, expected, "value or gradient on two ranks")


def predicts_its_outputs(subject: Subject) -> None:
    """``predict`` returns each of ``outputs``, and treats each image separately."""
    outputs: tuple[str, ...] = getattr(subject.component, "outputs", ())
    for scene in _scenes(subject) if outputs else ():
        loss: Any = scene.loss.eval()
        z = scene.embeddings
        predicted = loss.predict(z)
        assert set(predicted) == set(outputs), (
            f"predict returns {sorted(predicted)}, outputs declares {sorted(outputs)}"
        )
        alone = loss.predict(z[3:5])
        for name, value in predicted.items():
            assert value.ndim == 2, f"'{name}' has shape {tuple(value.shape)}"
            assert len(value) == len(z), f"'{name}' has shape {tuple(value.shape)}"
            assert value.isfinite().all(), f"'{name}' is not finite"
            close(alone[name].detach(), value[3:5].detach(), f"'{name}' of fewer images")
