"""UniCon-HA in one file, after Wang et al., "Unilaterally Aggregated Contrastive Learning with
Hierarchical Augmentation for Anomaly Detection", ICCV 2023.

Learns from good images alone, then scores new ones: the higher, the more anomalous. Needs torch and
torchvision. Equation numbers are the paper's. "A guess" marks what the paper does not publish.

    python examples/unicon_ha.py                                    # on made-up images
    python examples/unicon_ha.py parts/good --other parts/defect    # on your own

Shapes: N images, M = 8 N views of them (2 views x 4 rotations), H x W pixels, C channels of a map,
D numbers in an embedding, V views at test time.
"""

from __future__ import annotations

import argparse
import math
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.io import decode_image
from torchvision.models.resnet import BasicBlock
from torchvision.transforms import v2

TAU = 0.5  # temperature of the loss, Eq. 1
TAU_OMEGA = 0.5  # temperature of the soft weights, Eq. 7
STRENGTHS = [0.25, 0.5, 0.75, 1.0]  # of T_1..T_4. A guess: the paper states only that they rise.


# --- data ----------------------------------------------------------------------------------------


def read_folder(folder: Path, size: int) -> tuple[Tensor, list[str]]:
    """Read all PNG and JPEG files below a folder: (N, 3, size, size) float in 0..1, and names."""
    files = (p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if not (names := sorted(map(str, files))):
        raise SystemExit(f"{folder}: no PNG or JPEG files")
    load = partial(decode_image, mode="RGB", apply_exif_orientation=True)
    prepare = v2.Compose([v2.Resize(size), v2.CenterCrop(size), v2.ToDtype(torch.float32, True)])
    return torch.stack([prepare(load(name)) for name in names]), names


def made_up_images(count: int, size: int, defect: bool) -> Tensor:
    """Synthetic images (count, 3, size, size): a noisy gradient; a defect is a dark square."""
    slope = torch.linspace(0.2, 0.8, size)[:, None]  # (H, 1)
    images = slope + 0.1 * torch.rand(count, 3, size, size)
    if defect:
        images[..., size // 4 : size // 2, size // 4 : size // 2] *= 0.5
    return images


# --- shifts and augmentation ---------------------------------------------------------------------


def shift(images: Tensor) -> Tensor:
    """The shifting transformations S, which make three virtual outliers of each inlier.

    Returns: (4 N, 3, H, W) the images, then all of them rotated by 90, 180 and 270 degrees.
    """
    return torch.cat([images.rot90(turns, dims=(-2, -1)) for turns in range(4)])


def augment(images: Tensor, area: tuple[float, float], colour: float) -> Tensor:
    """The augmentation T, which keeps the content of an image: crop, flip, colour jitter, grey.

    Args:
        images: (N, 3, H, W) in 0..1; each draws its own parameters.
        area: smallest and largest share of the image that a crop keeps.
        colour: 0 leaves the colours alone, 1 is the full jitter.
    """

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(len(images), 1, 1, 1, device=images.device).uniform_(low, high)

    # Crop, resize and flip are one affine map from output to input positions, both in -1..1.
    tries = [(uniform(*area), uniform(math.log(3 / 4), math.log(4 / 3)).exp()) for _ in range(10)]
    sides = torch.stack([torch.stack([(a * r).sqrt(), (a / r).sqrt()]) for a, r in tries], dim=1)
    first = (sides.amax(0) <= 1).byte().argmax(0)  # the first that fits, as torchvision takes it
    width, height = sides.gather(1, first.expand(2, 1, *first.shape))[:, 0].clamp(max=1)
    x, y = uniform(-1, 1) * (1 - width), uniform(-1, 1) * (1 - height)  # centre of the crop
    zero, mirror = torch.zeros_like(x), uniform(-1, 1).sign()
    affine = torch.cat([width * mirror, zero, x, zero, height, y], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)  # (N, H, W, 2)
    images = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)

    jitter = colour * (uniform(0, 1) < 0.8)  # 8 of 10 images change colour
    images = images * (1 + jitter * uniform(-0.4, 0.4))  # brightness
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * (1 + jitter * uniform(-0.4, 0.4))  # contrast
    grey = images.mean(dim=1, keepdim=True)  # (N, 1, H, W)
    saturation = (1 + jitter * uniform(-0.4, 0.4)) * (uniform(0, 1) >= 0.2 * colour)  # 2 of 10 grey
    # Hue: the RGB cube turns about its grey diagonal, by a tenth of a turn at most.
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=images.device) / 3**0.5
    turn = torch.matrix_exp(2 * math.pi * (jitter * uniform(-0.1, 0.1))[:, 0] * cross)  # (N, 3, 3)
    tint = ((images - grey) * saturation).flatten(2)  # (N, 3, H W)
    return (grey + (turn @ tint).view_as(images)).clamp(0, 1)


def training_views(images: Tensor, strength: float) -> Tensor:
    """Two views (M, 3, H, W) under T_i, of strength 0..1, of (N, 3, H, W) images and rotations."""
    both = torch.cat([shift(images), shift(images)])
    return augment(both, (1 - 0.92 * strength, 1), strength)


# --- network -------------------------------------------------------------------------------------


class Network(nn.Module):
    """ResNet-18: stages res_1..res_4 of width, 2, 4 and 8 width channels, each with a head g_i."""

    def __init__(self, width: int = 64, projection: int = 128) -> None:  # D = 128 is a guess
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        first = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.stem = nn.Sequential(first, nn.BatchNorm2d(width), nn.ReLU())
        steps = pairwise([width, *widths])
        self.stages = nn.ModuleList(stage(before, after) for before, after in steps)
        self.heads = nn.ModuleList(head(widths[i:], projection) for i in range(4))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor, depth: int = 4) -> Tensor:
        """Map of stage ``depth``, without later stages: (N, 3, H, W) in 0..1 -> (N, C, h, w)."""
        x: Tensor = self.stem(2 * images - 1)  # (N, width, H, W)
        for res in self.stages[:depth]:
            x = res(x)  # twice the channels and half the sides, from res_2 on
        return x

    def project(self, views: Tensor, i: int) -> Tensor:
        """Eq. 8: z_i = g_i(res_i(T_i(x))), for views that are T_i(x): (M, 3, H, W) -> (M, D)."""
        z: Tensor = self.heads[i - 1](self(views, depth=i))
        return z


def stage(before: int, channels: int) -> nn.Sequential:
    """Two residual blocks of two 3x3 convolutions; height and width halve if channels grow."""
    first = BasicBlock(before, channels)
    if channels > before:
        project = nn.Conv2d(before, channels, 1, stride=2, bias=False)
        shortcut = nn.Sequential(project, nn.BatchNorm2d(channels))
        first = BasicBlock(before, channels, stride=2, downsample=shortcut)
    return nn.Sequential(first, BasicBlock(channels, channels))


def head(widths: list[int], projection: int) -> nn.Sequential:
    """Head g_i: brings a map of stage i to the last stage's shape, then pools and projects it.

    The layers are a guess: the paper gives the shape only. ``widths``: channels of stages i..4.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):  # half the sides, twice the channels
        layers.append(nn.Conv2d(before, before, 3, 2, padding=1, groups=before, bias=False))
        layers += [nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]  # (M, C) with C of the last stage
    layers += [nn.Linear(widths[-1], widths[-1]), nn.ReLU(), nn.Linear(widths[-1], projection)]
    return nn.Sequential(*layers)


# --- loss ----------------------------------------------------------------------------------------


def uniclr(z: Tensor, group: Tensor, soft: bool) -> Tensor:
    """UniCLR, Eq. 4 and 5: pulls the inliers together and pushes virtual outliers apart.

    Args:
        z: (M, D) embeddings, not normalised.
        group: (M,) 0 for inliers; a virtual outlier has a number that only its two views share.
        soft: weigh the inliers by Eq. 7.
    """
    z = F.normalize(z)  # (M, D)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    cosine = z @ z.T  # (M, M)
    # log of Eq. 1's fraction: a view x (row) compares x' (column) with all views but itself.
    others = (cosine / TAU).masked_fill(itself, -torch.inf)
    log_p = cosine / TAU - others.logsumexp(dim=1, keepdim=True)  # (M, M)
    positive = (group[:, None] == group) & ~itself  # (M, M), x' in D_x^+ of Eq. 5
    w = soft_weights(cosine.detach(), group == 0) if soft else torch.ones_like(cosine[0])  # (M,)
    pairs = positive * w  # (M, M), w_x' of each pair; w_x follows below
    loss = -(pairs * log_p).sum(1) / pairs.sum(1)  # (M,), Eq. 1; with weights Eq. 6
    return (w * loss).mean()  # Eq. 4


def soft_weights(cosine: Tensor, inlier: Tensor) -> Tensor:
    """Weights (M,): n omega_x of Eq. 7 for each of n inlier views, with mean 1; 1 for others.

    Eq. 6 prints the weights inside the logarithm, where they would only add a constant. The text
    below it requires pairs that count only if both weights are large, so they stand outside.
    Cosine is (M, M) without gradient, inlier is (M,) bool.
    """
    close = (cosine[inlier][:, inlier] / TAU_OMEGA).exp().fill_diagonal_(0)  # (n, n)
    weights = torch.ones_like(cosine[0])
    weights[inlier] = len(close) * close.sum(dim=1) / close.sum()
    return weights


def objective(net: Network, views: list[Tensor]) -> Tensor:
    """Eq. 9 with every lambda_i = 1 (a guess): the mean of the four stages' losses.

    ``views``: (M, 3, H, W) for each stage, from ``training_views``.
    """
    group = torch.arange(len(views[0]) // 2, device=views[0].device)  # (4 N,)
    group[: len(group) // 4] = 0  # the inliers; the rotated come after them
    stages = [(i, net.project(of_stage, i)) for i, of_stage in enumerate(views, start=1)]
    losses = [uniclr(z, group.repeat(2), soft=i == len(stages)) for i, z in stages]
    return torch.stack(losses).mean()


# --- training ------------------------------------------------------------------------------------


def train(net: Network, images: Tensor, epochs: int, lr: float, batch_size: int = 32) -> None:
    """Train on good images (N, 3, H, W). Momentum, weight decay and batch size are guesses."""
    optimizer = torch.optim.SGD(net.parameters(), lr, momentum=0.9, weight_decay=3e-4)
    batch_size = min(batch_size, len(images))
    steps = len(images) // batch_size
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps)  # one cycle to 0
    net.train()
    for epoch in range(epochs):
        order = torch.randperm(len(images), device=images.device)
        for step in range(steps):
            batch = images[order[step * batch_size : (step + 1) * batch_size]]
            loss = objective(net, [training_views(batch, strength) for strength in STRENGTHS])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            cosine.step()
        print(f"epoch {epoch + 1}/{epochs}: loss {loss.item():.4f}")


# --- scores --------------------------------------------------------------------------------------


@torch.no_grad()
def extract(net: Network, images: Tensor, views: int = 10) -> Tensor:
    """Features (N, V, C): pooled maps of res_4 without heads, of 54 % random crops (a guess)."""
    net.eval()
    blocks = []
    for some in torch.split(images, 64):
        maps = [net(augment(some, (0.54, 0.54), colour=0)) for _ in range(views)]
        blocks.append(torch.stack([of_view.mean(dim=(2, 3)) for of_view in maps], dim=1))
    return torch.cat(blocks)


def score(features: Tensor, train_features: Tensor) -> Tensor:
    """Scores (N,), 1 - Eq. 10: cosine distance to the nearest training image, 0..2."""
    f, f_m = (F.normalize(of, dim=-1).mean(dim=1) for of in (features, train_features))  # (N, C)
    return 1 - (F.normalize(f) @ F.normalize(f_m).T).amax(dim=1)


def auroc(good: Tensor, other: Tensor) -> float:
    """AUROC: share of pairs in which the anomaly has the higher score; ties count half."""
    difference = other[:, None] - good  # (anomalies, good images)
    return float(((difference > 0).double() + 0.5 * (difference == 0)).mean())


def main() -> None:
    """Train on good images, score held-out and anomalous ones, print AUROC."""
    parser = argparse.ArgumentParser(description="UniCon-HA (Wang et al., ICCV 2023) in one file.")
    parser.add_argument("good", type=Path, nargs="?", help="folder of good images")
    parser.add_argument("--other", type=Path, help="folder of anomalous images, for AUROC")
    parser.add_argument("--size", type=int, default=32, help="side of the images in pixels")
    parser.add_argument("--width", type=int, default=16, help="channels of res_1 (paper: 64)")
    parser.add_argument("--epochs", type=int, default=10, help="(paper: 2048)")
    parser.add_argument("--lr", type=float, default=0.05, help="first learning rate (paper: 0.01)")
    parser.add_argument("--seed", type=int, default=0, help="decides every random number")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    if options.good is None:
        good, bad = (made_up_images(100, options.size, defect) for defect in (False, True))
        names = [f"made-up {kind} {i}" for kind in ("good", "defect") for i in range(100)]
    else:
        good, names = read_folder(options.good, options.size)
        bad, more = read_folder(options.other, options.size) if options.other else (good[:0], [])
        names += more
    images = torch.cat([good, bad]).to(options.device)
    order = torch.randperm(len(good)).tolist()
    held_out, trained = order[: len(good) // 3], order[len(good) // 3 :]
    tested = held_out + list(range(len(good), len(images)))

    net = Network(options.width).to(options.device)
    train(net, images[trained], options.epochs, options.lr)
    scores = score(extract(net, images[tested]), extract(net, images[trained])).cpu()
    print(f"the most anomalous of {len(tested)} images that were not trained on:")
    for row in scores.argsort(descending=True)[:10].tolist():
        print(f"{scores[row]:.4f}  {names[tested[row]]}")
    if len(bad):
        found = auroc(scores[: len(held_out)], scores[len(held_out) :])
        print(f"AUROC {found:.3f} ({len(held_out)} good images, {len(bad)} anomalous)")


if __name__ == "__main__":
    main()
