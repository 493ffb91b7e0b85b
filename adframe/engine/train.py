"""The training loop."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from adframe.data.lazy import ImageSubset, LazyImages, iter_batches, to_device
from adframe.engine import returned
from adframe.engine.checkpoint import State
from adframe.engine.checkpointing import CheckpointManager, checkpointing
from adframe.engine.descent import Descent, trained_parameters
from adframe.engine.memory import return_large_blocks
from adframe.engine.returned import expect
from adframe.engine.state import Run
from adframe.engine.together import step_of
from adframe.interfaces import Backbone, Batch, Images, Method, Update
from adframe.random import RandomKeys, seed_of

logger = logging.getLogger("adframe")

#: Number of steps from which ``train.compile: auto`` compiles on CUDA. A guess: compiling takes
#: minutes and saves milliseconds a step. On a CPU it does not pay (docs/performance/notes.md).
COMPILE_FROM = 20_000


def train(run: Run, state: State | None = None) -> None:
    """Train any method: each batch gives updates, each update is one optimiser step.

    Args:
        run: the run, its weights restored.
        state: what else is restored, if the run continues from a checkpoint.
    """
    settings, method, policy = run.config.train, run.assembly.method, run.assembly.optimizer
    side, size = method.side, run.data.train.pixels.shape[2:]
    return_large_blocks(run.batch_size * (math.prod(size) if side is None else side**2))
    groups = trained_parameters(method)
    descents = {
        name: Descent(policy(name), group, settings.clip)
        for name, group in groups.items() if group
    }  # fmt: skip
    if not descents and settings.epochs:
        logger.warning("every parameter of the method is frozen: training changes no weight")
    optimizers = {name: of.optimizer for name, of in descents.items()}
    checkpoints = CheckpointManager(run, optimizers, state)
    if state is None:
        _begin(run)
    with checkpointing(checkpoints):
        if checkpoints.saved is None and (run.started_from or not settings.epochs):
            checkpoints.save()  # so that nothing is read or drawn twice
        method.train()
        _compile(run)
        for epoch in range(run.epoch, settings.epochs):
            if run.finished and run.step == epoch * run.batches_per_epoch:
                break
            for batch in _batches(run, epoch):
                progress = run.step / run.total_steps
                torch.manual_seed(seed_of(run.config.seed, "step", run.step))
                updates = method.step(batch, progress)
                expect(method, returned.updates(updates))
                metrics: dict[str, Tensor] = {}
                for update in _under(run, updates):
                    expect(method, returned.update(update, groups))
                    if update.group in descents:
                        descents[update.group].step(update.loss, progress)
                    metrics = {"loss": update.loss.detach(), **update.metrics}
                    checkpoints.metrics.add(run.step, metrics)
                    run.hook.adframe_update(run=run, group=update.group, metrics=metrics)
                expect(method, "" if metrics else "step yields no update")
                run.step += 1
                checkpoints.on_step_end()
            _check_frozen(method, groups)
            checkpoints.end_epoch()


@torch.no_grad()
def _begin(run: Run) -> None:
    """Let the method see the training images before the first step."""
    method, seed = run.assembly.method, seed_of(run.config.seed, "begin")
    torch.manual_seed(seed)
    method.eval()
    with step_of(run.world):
        method.begin(_InOrder(run, seed))


class _InOrder:
    """The training images in order, in batches, each time that it is iterated."""

    def __init__(self, run: Run, seed: int) -> None:
        self.run, self.seed = run, seed

    def __iter__(self) -> Iterator[Batch]:
        images = self.run.data.train
        rows = torch.split(torch.arange(len(images)), self.run.batch_size)
        return _load(self.run, images, rows, self.seed)


def _check_frozen(method: Method, trained: Mapping[str, Sequence[nn.Parameter]]) -> None:
    """Refuse a method that unfreezes what its optimiser does not have."""
    known = {id(parameter) for group in trained.values() for parameter in group}
    late = sum(id(p) not in known for group in trained_parameters(method).values() for p in group)
    text = f"unfreezes {late} parameters after training has started; freeze them in the first step"
    expect(method, text if late else "")


def _batches(run: Run, epoch: int) -> Iterator[Batch]:
    """The remaining batches of an epoch; order and keys depend only on seed and epoch."""
    seed, exposed, settings = run.config.seed, run.exposed, run.config.exposure
    order = _order(len(run.data.train), seed_of(seed, "order", epoch))
    left = range(run.step - epoch * run.batches_per_epoch, run.batches_per_epoch)
    starts = [index * run.batch_size for index in left]
    spans = [(start, min(start + run.batch_size, len(order))) for start in starts]
    rows = [order[start:end] for start, end in spans]
    batches = _load(run, run.data.train, rows, seed_of(seed, "epoch", epoch))
    if exposed is None or settings is None or not settings.ratio:
        yield from batches
        return
    known = _order(len(exposed), seed_of(seed, "exposed order", epoch))
    ratio = settings.ratio
    turns = [torch.arange(round(start * ratio), round(end * ratio)) for start, end in spans]
    rows = [known[turn % len(exposed)] for turn in turns]
    exposed_batches = _load(run, exposed, rows, seed_of(seed, "exposed", epoch))
    for batch, outliers in zip(batches, exposed_batches, strict=True):
        batch.exposed = outliers
        yield batch


def _order(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def _load(run: Run, images: Images, order: Sequence[Tensor], seed: int) -> Iterator[Batch]:
    on, world = partial(to_device, run.device), run.world
    reads = isinstance(images.pixels, LazyImages) and not isinstance(images.pixels, ImageSubset)
    shared = reads and world.size > 1  # each process decodes its share
    own = [rows[world.share(len(rows))] for rows in order] if shared else order
    for rows, read in zip(order, iter_batches(images.pixels, own), strict=True):
        pixels = world.gather(on(read), len(rows)) if shared else on(read)
        yield Batch(pixels, on(images.label[rows]), RandomKeys.from_index(seed, on(rows)))


def _under(run: Run, updates: Iterator[Update]) -> Iterator[Update]:
    """Updates of a method, computed in the precision of the run and by all its processes.

    Optimiser steps run outside of both.
    """
    precision = _autocast(run)
    while True:
        with precision, step_of(run.world):
            update = next(updates, None)
        if update is None:
            return
        yield update


def _autocast(run: Run) -> AbstractContextManager[Any]:
    precision = run.config.train.precision
    if precision == "auto":  # fp32 on a CPU, where the speed of bf16 is not measured
        precision = "bf16" if run.device.type == "cuda" else "fp32"
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(run.device.type, dtype=torch.bfloat16)


def _compile(run: Run) -> None:
    """Compile the backbones if ``train.compile`` is ``on``, or ``auto`` and it saves time."""
    wanted = run.config.train.compile
    if run.world.size > 1:
        if wanted == "on":
            logger.warning("train.compile: networks that several processes train are not compiled")
        return
    able = run.device.type == "cuda" and any(map(shutil.which, ("cc", "gcc", "clang")))
    if wanted == "on" or (wanted == "auto" and able and run.total_steps >= COMPILE_FROM):
        for module in run.assembly.method.modules():
            if isinstance(module, Backbone):
                module.compile()
