"""Contrastive loss kernel. Its memory grows linearly with the number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from adframe.parallel.rows import current
from adframe.parallel.world import World

#: Rows from which the blocked form is faster than the dense one on a CPU;
#: measured by `python benchmarks/contrastive_loss.py --crossover`.
BLOCKED_FROM = 384
#: Rows and columns of a tile of similarities. On a CPU two of them stay in the cache; elsewhere
#: a tile is large enough that launching its kernels costs next to nothing.
TILE, TILE_ELSEWHERE = (256, 1024), (4096, 4096)
_REDUCED = 2048  # rows whose gradients processes add at a time, which needs memory for copies
_TINY = 1e-30  # a smaller weight counts as zero


def at_least_float32(values: Tensor) -> Tensor:
    """Converts half-precision values to float32; float32 and float64 stay as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def group_contrast(
    embeddings: Tensor,
    group: Tensor,
    temperature: float,
    weight: Tensor | None = None,
    blocked: bool | None = None,
) -> Tensor:
    """Contrastive loss per row, shape (N,). Rows with equal group ids are positives.

    All other rows are negatives. For row i with positives P(i), the other rows of its group::

        -sum_{j in P(i)} w_j log p_ij / sum_{j in P(i)} w_j,    p_ij = softmax_{j != i}(cosine / t)

    and 0 where the weight of P(i) is 0. The mean is NT-Xent (Chen et al., ICML 2020, Eq. 1) where
    a group is an instance, and supervised contrastive L_out (Khosla et al., NeurIPS 2020, Eq. 2)
    where it is a class. Computed in float32 or better, also under autocast.

    Processes that train one network share the tiles of the blocked form, so each pair of rows is
    computed once.

    Args:
        embeddings: (N, D) floating point, need not be normalised.
        group: (N,) integers, the group ids.
        temperature: t, above 0.
        weight: (N,) w, at least 0: the weight of each row as a positive of others. It carries no
            gradient. One by default.
        blocked: whether to hold one tile of similarities at a time and compute it again in the
            backward pass, so that memory grows with N and not with its square. By default from
            ``BLOCKED_FROM`` rows on. Both forms give the same values up to rounding.

    Example:
        >>> views = torch.randn(8, 16, requires_grad=True)  # two views of each of four images
        >>> loss = group_contrast(views, torch.arange(4).repeat(2), temperature=0.5).mean()
        >>> loss.backward()
    """
    if blocked is None:
        blocked = len(embeddings) >= BLOCKED_FROM
    with torch.autocast(embeddings.device.type, enabled=False):
        z = F.normalize(at_least_float32(embeddings))
        if len(z) < 2:  # there is nothing to contrast with
            return 0 * z.sum(1)
        even = weight is None
        w = z.new_ones(len(z)) if weight is None else weight.detach().to(z.dtype)
        if blocked and temperature > 1 / 600:  # e^(2 * 600) is about what float64 spans
            value: Tensor = _Blocked.apply(z, _numbered(group), w, even, temperature, current())
            return value
        return _dense(z, group, w, temperature)


def _dense(z: Tensor, group: Tensor, weight: Tensor, temperature: float) -> Tensor:
    """Contrastive loss over all pairs of rows at once."""
    logits = z @ z.T / temperature
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    log_p = logits - logits.masked_fill(itself, -torch.inf).logsumexp(1, keepdim=True)
    weights = weight * ((group[:, None] == group) & ~itself)
    return -(log_p * weights).sum(1) / weights.sum(1).clamp(min=_TINY)


class _Blocked(torch.autograd.Function):
    """The same loss for unit rows, in tiles, with memory linear in N.

    The mean over positives is linear in them, so a sum per group replaces the pairs. The rest is
    L_i = log sum_{j != i} e_ij with e_ij = e^(z_i z_j / t). With upstream gradient c, its gradient
    is sum_j e_ij (c_i / E_i + c_j / E_j) z_j / t, where E_i = e^L_i. That matrix is symmetric, so
    one tile serves both triangles. Exponents are at most 1 / t, so the row maximum need not be
    subtracted; a small t needs float64.

    Each process takes some of the tiles, and some columns of x for the sums per group. What they
    find is added.
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, group: Tensor, weight: Tensor, even: bool, temperature: float,
        world: World,
    ) -> Tensor:  # fmt: skip
        ctx.scale = temperature**-0.5
        x = (z.double() if temperature < 1 / 75 else z) * ctx.scale
        ctx.even, ctx.world, ctx.part = even, world, world.share(x.shape[1])
        sums = x.new_zeros(len(x))
        for a, b, c, d, tile in _tiles(x, world):
            sums[a:b] += tile.sum(1)
            below = max(b, c)
            sums[below:d] += tile[:, below - c :].sum(0)
        total = _others(torch.ones_like(weight)[:, None], weight, group, even)[:, 0]
        share = torch.where(total > _TINY, 1 / total, 0)
        mates = _others(x[:, ctx.part], weight, group, even)
        pull = (x[:, ctx.part] * mates).sum(1)
        if world.size > 1:
            sums, pull = world.reduce(torch.stack([sums, pull]))
        ctx.save_for_backward(z, group, weight, sums, share, mates)
        return torch.where(share > 0, sums.log() - pull * share, 0).to(z.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        z, group, weight, sums, share, mates = ctx.saved_tensors
        x = z.to(sums.dtype) * ctx.scale
        with torch.autocast(x.device.type, enabled=False):
            push = upstream * (share > 0) / sums
            out = torch.zeros_like(x)
            for a, b, c, d, tile in _tiles(x, ctx.world):
                tile.mul_(push[a:b, None] + push[c:d])
                out[a:b].addmm_(tile, x[c:d])
                below = max(b, c)
                if below < d:
                    out[below:d].addmm_(tile[:, below - c :].T, x[a:b])
            pull = upstream * share
            own, mine = out[:, ctx.part], x[:, ctx.part]
            own.addcmul_(mates, pull[:, None], value=-1)
            own.addcmul_(_others(mine, pull, group, ctx.even), weight[:, None], value=-1)
        out.mul_(ctx.scale)
        for rows in torch.split(out, _REDUCED) if ctx.world.size > 1 else ():
            rows.copy_(ctx.world.reduce(rows))
        return out.to(z.dtype), None, None, None, None, None


def _tiles(x: Tensor, world: World) -> Iterator[tuple[int, int, int, int, Tensor]]:
    """Tiles of e^(x x^T), its diagonal set to 0; those of all processes cover the upper triangle.

    Yields:
        a, b, c, d and the tile of rows a..b and columns c..d. The next tile overwrites it. Columns
        below b are a square on the diagonal that holds both triangles.
    """
    count = len(x)
    height, width = TILE if x.device.type == "cpu" else TILE_ELSEWHERE
    if world.size > 1:  # enough of them for even shares
        height = min(height, -(-count // (4 * world.size)))
    room = x.new_empty(min(height, count) * min(width, count))
    loads = [0] * world.size
    for a in range(0, count, height):
        b = min(a + height, count)
        for c in range(a, count, width):
            d = min(c + width, count)
            taker = loads.index(min(loads))
            loads[taker] += (b - a) * (d - c)
            if taker != world.rank:
                continue
            tile = room[: (b - a) * (d - c)].view(b - a, d - c)
            torch.mm(x[a:b], x[c:d].T, out=tile).exp_()
            if c == a:
                tile.diagonal().zero_()
            yield a, b, c, d, tile


def _numbered(group: Tensor) -> Tensor:
    """Group ids renumbered from 0, without a synchronisation with the device."""
    values, order = group.sort()
    ranks = torch.zeros_like(order)
    ranks[order[1:]] = (values[1:] != values[:-1]).cumsum(0)
    return ranks


def _others(x: Tensor, weight: Tensor, group: Tensor, even: bool) -> Tensor:
    """Weighted sum of the other rows of each row's group, shape (N, D).

    To subtract the largest part of a sum from it loses precision. So, unless all weights are equal
    (``even``), a row with more than half of its group's weight is never subtracted: the other rows
    are summed without it.
    """
    rows = x * weight[:, None]
    if even:
        return torch.zeros_like(x).index_add_(0, group, rows).index_select(0, group).sub_(rows)
    size = weight.abs().to(x.dtype)
    sums = torch.zeros_like(size).index_add_(0, group, size)
    main = (size > sums[group] / 2).to(x.dtype)[:, None]
    heavy = torch.zeros_like(x).index_add_(0, group, rows * main)
    rows.mul_(1 - main)
    light = torch.zeros_like(x).index_add_(0, group, rows).index_select(0, group)
    return light.sub_(rows).add_(heavy.index_select(0, group).mul_(1 - main))
