"""UniCon-HA's last stage as an ordinary PyTorch script, to compare whole jobs with (``jobs.py``).

The recipe of configs/unicon_ha/fast.yaml: two views of four rotations of each image, SimCLR's
augmentation by torchvision on PIL images in a DataLoader, a ResNet-18 of a quarter of the width on
16x16 pixels, the dense contrastive loss and a rotation classifier, SGD. Scores by the largest
cosine to training images, with ten views of each image. Imports nothing of adframe.

    python benchmarks/plain_unicon_ha.py FOLDER --epochs 2 --seed 0

FOLDER holds train/good, test/good and test/bad. Prints the AUROC.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T
from torchvision.models.resnet import BasicBlock

TAU = 0.5
SIDE = 16
STRENGTH = 0.5
BATCH = 8
VIEWS = 10


class Pictures(Dataset):
    """Views of image files: (8, 3, H, W) to train on, (10, 3, H, W) to score."""

    def __init__(self, files: list[Path], train: bool) -> None:
        s = STRENGTH
        jitter = T.ColorJitter(0.4 * s, 0.4 * s, 0.4 * s, 0.1 * s)
        ratio = ((3 / 4) ** s, (4 / 3) ** s)
        crop = T.RandomResizedCrop(SIDE, scale=(1 - 0.92 * s, 1), ratio=ratio)
        changed = [T.RandomApply([jitter], p=0.8), T.RandomGrayscale(0.2 * s)]
        scored = [T.RandomResizedCrop(SIDE, scale=(0.54, 0.54)), T.RandomHorizontalFlip()]
        after = [T.ToTensor(), T.Normalize([0.5] * 3, [0.5] * 3)]
        self.view = T.Compose([crop, *changed, *after] if train else [*scored, *after])
        self.flip = T.RandomHorizontalFlip()
        self.files, self.train = files, train

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        image = Image.open(self.files[index]).convert("RGB")
        if not self.train:
            return torch.stack([self.view(image) for _ in range(VIEWS)])
        views = []
        for _ in range(2):
            mirrored = self.flip(image)
            views += [self.view(mirrored.rotate(90 * turns)) for turns in range(4)]
        return torch.stack(views)


class Network(nn.Module):
    """ResNet-18 for small images, with a projection and a rotation classifier."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
        for after in (width, 2 * width, 4 * width, 8 * width):
            stride, shortcut = (1, None) if before == after else (2, None)
            if stride == 2:
                project = nn.Conv2d(before, after, 1, stride=2, bias=False)
                shortcut = nn.Sequential(project, nn.BatchNorm2d(after))
            layers += [BasicBlock(before, after, stride, shortcut), BasicBlock(after, after)]
            before = after
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Sequential(nn.Linear(before, before), nn.ReLU(), nn.Linear(before, 128))
        self.rotation = nn.Linear(before, 4)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def uniclr(z: Tensor, group: Tensor) -> Tensor:
    """Pulls views of one group together and pushes all others apart; the dense form."""
    z = F.normalize(z)
    logits = z @ z.T / TAU
    itself = torch.eye(len(z), dtype=torch.bool)
    log_p = logits - logits.masked_fill(itself, -torch.inf).logsumexp(1, keepdim=True)
    positive = (group[:, None] == group) & ~itself
    return -((log_p * positive).sum(1) / positive.sum(1)).mean()


def train(net: Network, files: list[Path], epochs: int, workers: int) -> int:
    """Trains on files; returns the number of steps."""
    loader = DataLoader(
        Pictures(files, train=True), BATCH, shuffle=True, drop_last=True, num_workers=workers,
        persistent_workers=workers > 0,
    )  # fmt: skip
    total = epochs * len(loader)
    warmup = max(1, round(0.1 * total))
    optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9, weight_decay=3e-4)

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    group = 1 + torch.arange(4 * BATCH).view(BATCH, 4)
    group[:, 0] = 0  # images that are not rotated are one group
    group = torch.cat([group, group], 1).flatten()
    turns = torch.arange(4).repeat(2 * BATCH)
    net.train()
    for _ in range(epochs):
        for views in loader:
            features = net.body(views.flatten(0, 1))
            loss = uniclr(net.head(features), group)
            loss = loss + F.cross_entropy(net.rotation(features), turns)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return total


@torch.no_grad()
def extract(net: Network, files: list[Path], workers: int) -> Tensor:
    """(N, C) unit vectors, averaged over the views of each image."""
    net.eval()
    loader = DataLoader(Pictures(files, train=False), 32, num_workers=workers)
    rows = [F.normalize(net.body(views.flatten(0, 1))).view(-1, VIEWS, 128) for views in loader]
    return F.normalize(torch.cat(rows).mean(1))


def main() -> None:
    """Trains, scores, and prints the AUROC."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    parts = {
        name: sorted((given.folder / name).iterdir())
        for name in ("train/good", "test/good", "test/bad")
    }
    net = Network()
    steps = train(net, parts["train/good"], given.epochs, given.workers)
    known, good, bad = (extract(net, files, given.workers) for files in parts.values())
    scores = 1 - (torch.cat([good, bad]) @ known.T).amax(1)
    labels = [0] * len(good) + [1] * len(bad)
    print(f"steps {steps} AUROC {roc_auc_score(labels, scores.numpy()):.4f}")


if __name__ == "__main__":
    main()
