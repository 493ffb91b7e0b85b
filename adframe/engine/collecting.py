"""Collects the features of images that scorers learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from adframe.engine.features import extract_features, passes
from adframe.errors import PluginFault, TrainingError, UserError
from adframe.interfaces import Features, Images, Method, Scorer, Shift, ViewSpec
from adframe.parallel.exchange import gathered
from adframe.parallel.world import ALONE, World
from adframe.registry.blame import blame, out_of_memory, show_traceback

Counter = Callable[[int], None]  #: receives the number of image views of a forward pass
_SHARED = -1  # in place of the index of a scorer: features that several scorers keep


def collect(
    scorers: Sequence[Scorer],
    chosen: Sequence[int],
    method: Method,
    shifts: Sequence[Shift],
    images: Images,
    spec: ViewSpec,
    seed: int,
    seen: Counter = lambda views: None,
    failures: dict[int, str] | None = None,
    world: World = ALONE,
) -> dict[int, Features]:
    """What the chosen scorers keep of the features of images; by index of the scorer.

    Scorers that keep all of them share one copy. Each process extracts the features of some images,
    in the same passes as one process, and gets what is kept of all.

    Args:
        scorers: all scorers.
        chosen: indices of those that learn.
        method, shifts, images, spec, seed: as for ``extract_features``.
        seen: called with the number of views after each forward pass of this process.
        failures: gets the index of each scorer that fails, and why; by default the first error
            is raised.
        world: the processes.

    Raises:
        TrainingError: features are not finite.
    """
    own = [index for index in chosen if type(scorers[index]).collect is not Scorer.collect]
    kept: dict[int, list[Features]] = {index: [] for index in own}
    if len(own) < len(chosen):
        kept[_SHARED] = []
    every = passes(method, shifts, images.pixels, spec)
    part, bad = every[world.share(len(every))], list[int]()
    with noting(failures if spec.compute else None, *chosen):
        blocks = extract_features(method, shifts, images.pixels, spec, seed, rows=part)
        for block, rows in zip(blocks, part, strict=True):
            seen(next(iter(block.values())).shape[:3].numel())
            for values in block.values():
                bad += rows[(~values.isfinite()).flatten(1).any(1)].tolist()
            features = {**block, "label": images.label[rows], "index": rows}
            for index in own:
                with noting(failures, index):
                    kept[index].append(scorers[index].collect(features))
            if _SHARED in kept:
                kept[_SHARED].append(features)
    tensors = {
        f"{index}/{name}": torch.cat([block[name] for block in blocks_of])
        for index, blocks_of in kept.items()
        for name in (blocks_of[0] if blocks_of else ())
    }
    whole, facts = gathered(world, tensors, [sorted(set(bad)), noted(failures)])
    merge(failures, [failed for _, failed in facts])
    if every_bad := [row for rows, _ in facts for row in rows]:
        raise TrainingError(
            f"the features of {len(every_bad)} of {len(images)} training images are not finite, "
            f"such as {images.names[min(every_bad)]}: the network has diverged; "
            "try a smaller learning rate or train.clip: 1.0"
        )
    found: dict[int, dict[str, Tensor]] = {}
    for key, values in whole.items():
        number, _, name = key.partition("/")
        found.setdefault(int(number), {})[name] = values
    numbers = {index: index if index in own else _SHARED for index in chosen}
    return {
        index: found[number]
        for index, number in numbers.items()
        if number in found and index not in (failures or {})
    }


def noted(failures: dict[int, str] | None) -> list[Any]:
    """Failures as in JSON."""
    return [[index, text] for index, text in (failures or {}).items()]


def merge(failures: dict[int, str] | None, of_processes: Sequence[Sequence[Any]]) -> None:
    """Add the failures that other processes noted."""
    for each in of_processes:
        for index, text in each:
            assert failures is not None
            failures.setdefault(index, text)


@contextmanager
def noting(failures: dict[int, str] | None, *indices: int) -> Iterator[None]:
    """Note an error of scorers in ``failures``, if there is such a dictionary."""
    try:
        yield
    except BaseException as error:
        if failures is None or out_of_memory(error):
            raise
        known = isinstance(error, UserError | PluginFault)
        fault = error if known else blame(error)
        if fault is None:
            raise
        if not known:
            show_traceback(fault)
        failures.update(dict.fromkeys(indices, str(fault)))
