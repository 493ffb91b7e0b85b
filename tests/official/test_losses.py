"""Losses of CSI, SSD and DROC and CSI's learning rate, against what their public code gave."""

import json
import math
from pathlib import Path

import pytest
import torch

import adframe
from adframe.interfaces import Views

HERE = Path(__file__).parent


def official(name):
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


def embeddings(images):
    index = torch.arange(2 * images * 5, dtype=torch.float64).view(-1, 5)
    return torch.sin(1 + 0.7 * index + index * index / 50)


def value(loss, images, temperature, labels=None):
    """A loss of two views of some images, without shifts."""
    label = torch.full((images,), -1) if labels is None else torch.tensor(labels)
    zeros = torch.zeros(images, dtype=torch.int64)
    views = Views(torch.arange(images), zeros, label, zeros == 0).repeat(2)
    made = adframe.build("loss", {"name": loss, "temperature": temperature})
    return float(made(embeddings(images), views))


def described(case):
    return f"{case['images']} at {case['temperature']}"


@pytest.mark.parametrize("case", official("csi_loss")["cases"][::2], ids=described)
def test_csis_loss(case):
    found = value("nt_xent", case["images"], case["temperature"])
    assert found == pytest.approx(case["nt_xent"], abs=1e-5)  # which has 1e-8 in the logarithm


@pytest.mark.parametrize("case", official("csi_loss")["cases"], ids=described)
def test_csis_supervised_loss_counts_the_anchor_among_its_positives(case):
    """Each anchor adds -log(1e-8), and its divisor is larger by one; ours is the paper's."""
    labels = 2 * case["labels"]
    images, temperature = case["images"], case["temperature"]
    z = torch.nn.functional.normalize(embeddings(images))
    logits = (z @ z.T / temperature).fill_diagonal_(-math.inf)
    share = -(logits.softmax(1) + 1e-8).log()  # the anchor itself: -log(1e-8)
    same = torch.tensor(labels)[:, None] == torch.tensor(labels)
    with_anchor = (share * same).sum(1) / same.sum(1)
    assert float(with_anchor.mean()) == pytest.approx(case["supervised"], abs=1e-4)
    others = same & ~torch.eye(len(z), dtype=torch.bool)
    exact = -logits.log_softmax(1).where(others, 0.0).sum(1) / others.sum(1)
    found = value("supcon", images, temperature, case["labels"])
    assert found == pytest.approx(float(exact.mean()), abs=1e-6)


@pytest.mark.parametrize("case", official("ssd")["loss"], ids=described)
def test_ssds_loss(case):
    found = value("nt_xent", case["images"], case["temperature"])
    assert found * case["temperature"] / 0.07 == pytest.approx(case["loss"], rel=1e-5)


def test_the_weight_of_ssds_loss_in_its_config():
    (term,) = adframe.load_config("ssd/cifar10").objective
    assert term.weight == pytest.approx(0.5 / 0.07, rel=1e-6)


@pytest.mark.parametrize("case", official("droc")["loss"], ids=described)
def test_drocs_loss(case):
    found = value("droc_contrastive", case["images"], case["temperature"])
    assert found == pytest.approx(case["loss"], abs=1e-6)


def test_csis_learning_rate():
    """The cosine of the public code is for 1,000 epochs after the warm-up, of which 990 come."""
    optimizer = adframe.load_config("csi/cifar10").optimizer.build()
    for progress, rate in official("csi_rate")["rates"]:
        stretched = progress if progress <= 0.01 else 0.01 + (progress - 0.01) * 0.99
        assert optimizer.lr * optimizer.rate(stretched) == pytest.approx(rate, abs=1e-4)
        assert optimizer.lr * optimizer.rate(progress) == pytest.approx(rate, abs=0.012)
