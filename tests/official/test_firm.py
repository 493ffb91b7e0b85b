"""FIRM's loss, and UniCLR as its other form, against what FIRM's public code printed."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from adframe.interfaces import Views
from adframe_firm.loss import FIRM
from adframe_unicon_ha.loss import UniCLR

CASES = json.loads((Path(__file__).parent / "firm.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize(("loss", "mode"), [(FIRM, "pairwise"), (UniCLR, "concat")])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['labels']} {case['temperature']}")
def test_the_loss_is_the_public_codes(case, loss, mode):
    label = torch.tensor(case["labels"])
    index = torch.arange(5 * len(label), dtype=torch.float64).view(-1, 5)
    first = F.normalize(torch.sin(1 + index))
    second = F.normalize(torch.sin(2 + 3 * index) + first / 2)
    inlier = label >= 0
    views = Views(torch.arange(len(label)), (~inlier).long(), label, inlier).repeat(2)
    value = loss(case["temperature"])(torch.cat([first, second]), views).item()
    assert value == pytest.approx(case[mode], abs=1e-6)
