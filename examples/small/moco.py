"""Momentum contrast: a queue of embeddings by a slowly moving copy (MoCo, He et al., CVPR 2020)."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adframe import Add, hookimpl
from adframe.interfaces import Batch, Count, Fraction, Method, MethodParts, Positive, Update


class MoCo(Method):
    """Finds the other view of an image among the embeddings in a queue.

    Args:
        temperature: [published: 0.07] Divides the cosine.
        momentum: [published: 0.999] Share of the copy that stays in a step.
        length: [published: 65536] Embeddings in the queue.
    """

    ignores = ("objective", "shifts")
    queue: Tensor

    def __init__(
        self, temperature: Positive = 0.07, momentum: Fraction = 0.999, length: Count = 65_536
    ) -> None:
        super().__init__()
        self.temperature, self.momentum, self.length = temperature, momentum, length

    def setup(self, parts: MethodParts) -> None:
        self.backbone, self.schedule = parts.backbone, parts.schedule
        self.head = nn.Linear(parts.backbone.widths[-1], 64)
        self.slow = copy.deepcopy(nn.ModuleList([self.backbone, self.head])).requires_grad_(False)
        self.register_buffer("queue", F.normalize(torch.randn(self.length, 64)))

    def groups(self) -> dict[str, list[nn.Parameter]]:
        return {"main": [*self.backbone.parameters(), *self.head.parameters()]}

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        augment = self.schedule.stages(len(self.backbone.widths), progress)[-1].augmentation
        query, key = (augment(batch.pixels, batch.keys.fold_in(view)) for view in range(2))
        with torch.no_grad():
            for slow, fast in zip(self.slow.parameters(), self.groups()["main"], strict=True):
                slow.lerp_(fast, 1 - self.momentum)
            keys = F.normalize(self.slow[1](self.slow[0](key)[-1].mean((2, 3))))
        z = F.normalize(self.head(self.embed(query)["features"]))
        logits = torch.cat([(z * keys).sum(1, keepdim=True), z @ self.queue.clone().T], 1)
        truth = torch.zeros(len(z), dtype=torch.long, device=z.device)
        yield Update(F.cross_entropy(logits / self.temperature, truth))
        self.queue = torch.cat([keys, self.queue])[: self.length]

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        return {"features": self.backbone(images)[-1].mean((2, 3))}


@hookimpl
def adframe_register(add: Add) -> None:
    add("method", "moco", MoCo)
