"""Rows of batches at test time: filled up, joined, and put in the order of images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import torch
from torch import Tensor


def by_image(rows: Tensor, images: int, views: int) -> Tensor:
    """(images, views, variants, ...) from rows of one view after the other."""
    of_views = rows.view(-1, images, *rows.shape[1:])
    return of_views.transpose(0, 1).contiguous().view(images, views, -1, *rows.shape[1:])


def filled(rows: Tensor, least: int) -> Tensor:
    """Rows (N, ...), and copies of the last one up to ``least`` of them."""
    if len(rows) >= least:
        return rows
    return torch.cat([rows, rows[-1:].expand(least - len(rows), *rows.shape[1:])])


def joined(views: Iterable[Tensor], rows: int) -> Iterator[Tensor]:
    """Batches of several views, of at most that many rows, or of one view."""
    waiting = list[Tensor]()
    for view in chain(views, [None]):
        if waiting and (view is None or (len(waiting) + 1) * len(view) > rows):
            yield waiting[0] if len(waiting) == 1 else torch.cat(waiting)
            waiting = []
        if view is not None:
            waiting.append(view)
