"""What processes exchange besides gradients: rows of features and scores, and values of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from adframe.parallel.world import World


def messages(world: World, value: Any) -> list[Any]:
    """The values of all processes, as in JSON."""
    if world.size == 1:
        return [value]
    data = json.dumps(value).encode()
    (most,) = world.highest(len(data))
    sent = torch.frombuffer(bytearray(data.ljust(most)), dtype=torch.uint8)
    return [json.loads(bytes(row.tolist())) for row in world.stack(sent)]


def gathered(
    world: World, own: Mapping[str, Tensor], facts: Any = None
) -> tuple[dict[str, Tensor], list[Any]]:
    """Rows of all processes.

    Args:
        world: the processes.
        own: tensors of this process on the CPU, (N, ...); N may differ, and a name may be absent.
        facts: a value as in JSON.

    Returns:
        The tensors of all processes, joined along the first axis, and the facts of each.
    """
    if world.size == 1:
        return dict(own), [facts]
    kinds = {name: [str(rows.dtype)[6:], *rows.shape] for name, rows in own.items()}
    known = messages(world, [facts, kinds])
    whole: dict[str, Tensor] = {}
    for name in dict.fromkeys(name for _, of in known for name in of):
        found = [of.get(name) for _, of in known]
        counts = [0 if of is None else of[1] for of in found]
        dtype, _, *shape = next(of for of in found if of is not None)
        padded = torch.zeros(max(counts), *shape, dtype=getattr(torch, dtype))
        if name in own:
            padded[: len(own[name])] = own[name]
        each = world.stack(padded)
        whole[name] = torch.cat([rows[:count] for rows, count in zip(each, counts, strict=True)])
    return whole, [facts for facts, _ in known]
