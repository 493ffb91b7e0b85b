"""Steps of LARS, Deep SVDD and Deep SAD, against what their public code gave."""

import json
from pathlib import Path

import pytest
import torch

import adframe
from adframe_svdd.losses import deep_sad, keep_from_zero, one_class, radius_of, soft_boundary


def official(name):
    return json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))


def rows(count, width, phase):
    """The formula of the data files."""
    index = torch.arange(count * width, dtype=torch.float64).view(count, width)
    return torch.sin(phase + 0.7 * index + index * index / 50)


def test_lars_steps():
    starts = rows(3, 4, 0.5), rows(1, 5, 2)[0], torch.zeros(4).double(), rows(2, 2, 4)
    parameters = [torch.nn.Parameter(start) for start in starts]
    options = {"lr": 1.0, "momentum": 0.9, "weight_decay": 0.01}
    optimizer = adframe.build("optimizer", {"name": "lars", **options}).build(parameters)
    for step, expected in enumerate(official("lars")["steps"]):
        for j, parameter in enumerate(parameters):
            gradient = rows(1, parameter.numel(), 10 + 3 * step + j)[0].view(parameter.shape)
            parameter.grad = gradient if j < 3 else torch.zeros_like(parameter)
        optimizer.step()
        for parameter, values in zip(parameters, expected, strict=True):
            found = parameter.detach().flatten()
            torch.testing.assert_close(
                found, torch.tensor(values, dtype=found.dtype), rtol=0, atol=1e-12
            )


def trained(loss_of, after=lambda distance, epoch: None):
    """Centre, losses, weights and distances of the small network of the data files."""
    images = (rows(8, 12, 1) + 1) / 2
    weight = torch.nn.Parameter(0.4 * rows(3, 12, 3))
    optimizer = torch.optim.Adam([weight], lr=0.01, weight_decay=1e-6)
    centre = keep_from_zero((images @ weight.T).mean(0).detach(), 0.1)
    losses = []
    for epoch in range(13):
        optimizer.zero_grad()
        distance = (images @ weight.T - centre).square().sum(1)
        loss = loss_of(distance)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        after(distance.detach(), epoch)
    with torch.no_grad():
        distance = (images @ weight.T - centre).square().sum(1)
    return {
        "centre": centre, "losses": losses, "weight": weight.detach().flatten(), "scores": distance,
    }  # fmt: skip


def same(found, case, tolerance, digits=8):
    """Compares with the figures; losses were logged with so many digits."""
    for name, value in found.items():
        printed = 10.0**-digits if name == "losses" else 0
        expected = torch.tensor(case[name], dtype=torch.float64)
        actual = torch.as_tensor(value, dtype=torch.float64)
        torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance + printed)


def test_deep_svdd_of_one_class():
    same(trained(one_class), official("deep_svdd")["one_class"], 1e-12)


def test_deep_svdd_with_a_soft_boundary():
    """Epoch 11 is the first after the warm-up."""
    radius = torch.zeros((), dtype=torch.float64)

    def after(distance, epoch):
        if epoch >= 10:
            radius.copy_(radius_of(distance, 0.3))

    found = trained(lambda distance: soft_boundary(distance, radius, 0.3), after)
    scores = found["scores"] - radius.square()
    same(
        {**found, "scores": scores, "radius": radius}, official("deep_svdd")["soft_boundary"], 1e-12
    )


def test_deep_sad():
    anomalous = torch.arange(8) >= 5
    found = trained(lambda distance: deep_sad(distance, anomalous, 2.0))
    same(found, official("deep_sad")["deep_sad"], 1e-12, digits=6)


@pytest.mark.parametrize("name", ["lars", "deep_svdd", "deep_sad"])
def test_the_values_name_their_source(name):
    found = official(name)
    assert "/" in found["repository"]
    assert len(found["commit"]) == 40
