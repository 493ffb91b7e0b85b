"""The batched SimCLR augmentation against torchvision v2 on PIL images and against kornia.

torchvision: RandomResizedCrop, flip, ColorJitter and grayscale on one PIL image at a time, then a
float tensor. kornia: the same four on the batch, with parameters for each image. adframe: from a
uint8 batch to float views. All have the same probabilities and ranges. Prints CPU milliseconds per
batch, best of interleaved rounds.

    python benchmarks/augmentation.py [--quick]
"""

from __future__ import annotations

from collections.abc import Callable

import pairs
import torch
from PIL import Image
from torch.nn import functional as F
from torchvision.transforms import v2

import adframe
from adframe.interfaces import RandomKeys


def contenders(count: int, size: int) -> dict[str, Callable[[], object]]:
    """One call of each pipeline on the same smooth random images."""
    kornia = pairs.peer("kornia.augmentation")
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    images = F.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)
    pixels = (images * 255).byte()
    pil = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in pixels]
    one_by_one = v2.Compose(
        [
            v2.RandomResizedCrop(size, scale=(0.08, 1)),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8),
            v2.RandomGrayscale(0.2),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    batched = torch.nn.Sequential(
        kornia.RandomResizedCrop((size, size), scale=(0.08, 1)),
        kornia.RandomHorizontalFlip(),
        kornia.ColorJiggle(0.4, 0.4, 0.4, 0.1, p=0.8),
        kornia.RandomGrayscale(p=0.2),
    )
    ours = adframe.build("augmentation", "simclr")
    return {
        "torchvision, PIL": lambda: torch.stack([one_by_one(image) for image in pil]),
        "kornia": lambda: batched(images),
        "adframe": lambda: ours(pixels, RandomKeys.from_index(0, torch.arange(count))),
    }


def main() -> None:
    """Compares at both image sizes and prints the table."""
    rounds = 3 if pairs.arguments(__doc__).quick else 15
    rows: list[list[str | float]] = []
    for count, size in [(256, 32), (32, 224)]:
        cpu = pairs.seconds(contenders(count, size), rounds)
        rows += [
            [f"{count} of {size}x{size}, {name}", value * 1000, value / cpu["adframe"]]
            for name, value in cpu.items()
        ]
    pairs.table(["contender", "CPU ms", "times adframe's"], rows)


if __name__ == "__main__":
    main()
