"""CSI's colour jitter and crop, against what its public code gave."""

import json
from pathlib import Path

import pytest
import torch

from adframe_csi.augmentation import crop_reflected, jitter_hsv

OFFICIAL = json.loads((Path(__file__).parent / "csi_augmentation.json").read_text(encoding="utf-8"))


def images():
    index = torch.arange(3 * 3 * 8 * 8, dtype=torch.float64).view(3, 3, 8, 8)
    return (torch.sin(1 + 0.7 * index + index * index / 50) + 1) / 2


@pytest.mark.parametrize("case", OFFICIAL["jitter"], ids=lambda case: str(case["factors"]))
def test_the_jitter_is_the_public_codes(case):
    factors = torch.tensor([case["factors"]] * 3, dtype=torch.float64)
    out = jitter_hsv(images(), factors, torch.tensor([case["contrast_first"]] * 3))
    pixels = torch.tensor(case["pixels"], dtype=torch.float64)
    torch.testing.assert_close(out[:, :, 2, 5], pixels, atol=1e-6, rtol=0)
    sums = torch.tensor(case["sum"], dtype=torch.float64)
    torch.testing.assert_close(out.sum((2, 3)), sums, atol=1e-5, rtol=0)


def test_the_crop_is_the_public_codes():
    box = torch.tensor([case["whbias"] for case in OFFICIAL["crops"]])
    sides, offset = box[:, :2], box[:, 2:]
    out = crop_reflected(images().float(), (1 + offset - sides) / 2, sides)
    pixels = torch.tensor([case["pixels"] for case in OFFICIAL["crops"]])
    torch.testing.assert_close(out[:, :, ::3, ::3], pixels, atol=1e-6, rtol=0)
