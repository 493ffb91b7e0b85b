"""The training loop."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from adframe import checkpoint
from adframe.draws import Draws, seed_of
from adframe.interfaces import Backbone, Batch, Update

if TYPE_CHECKING:
    from adframe.runner import Run


#: Steps from which `train.compile: auto` compiles on CUDA. A guess: minutes of compiling, against
#: milliseconds a step; on a CPU it was measured not to pay (docs/performance.md).
COMPILE_FROM = 20_000


class TrainingError(Exception):
    """Training cannot go on; what was saved before stays."""


def train(run: Run) -> None:
    """The training loop of every method: batches in, updates out, an optimiser step for each."""
    settings, method, policy = run.config.train, run.assembly.method, run.assembly.optimizer
    groups = method.groups()
    optimizers = {name: policy.build(parameters) for name, parameters in groups.items()}
    base = {name: [g["lr"] for g in o.param_groups] for name, o in optimizers.items()}
    _resume(run, optimizers)
    _compile(run)
    method.train()
    for epoch in range(run.epoch, settings.epochs):
        sums: dict[str, Tensor] = {}
        for batch in _batches(run, epoch):
            progress = run.step / run.total
            torch.manual_seed(seed_of(run.config.seed, "step", run.step))
            for update in _under(_autocast(run), method.step(batch, progress)):
                optimizer = optimizers[update.group]
                for group, lr in zip(optimizer.param_groups, base[update.group], strict=True):
                    group["lr"] = lr * policy.rate(progress)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(update.loss, inputs=groups[update.group])
                optimizer.step()
                metrics = {"loss": update.loss.detach(), **update.metrics}
                for name, value in metrics.items():
                    sums[name] = sums.get(name, 0) + value
                run.hook.adframe_update(run=run, group=update.group, metrics=metrics)
            run.step += 1
        run.epoch = epoch + 1
        run.means = {name: float(total) / run.batches_per_epoch for name, total in sums.items()}
        _stop_unless_finite(run)
        run.hook.adframe_epoch_end(run=run, epoch=run.epoch)
        last = run.epoch == settings.epochs
        if last or (settings.checkpoint_every and run.epoch % settings.checkpoint_every == 0):
            _save(run, optimizers)


def _batches(run: Run, epoch: int) -> Iterator[Batch]:
    """The images of an epoch in an order, and with draws, that seed and epoch alone decide."""
    images, seed = run.data.train, run.config.seed
    generator = torch.Generator().manual_seed(seed_of(seed, "order", epoch))
    order = torch.randperm(len(images), generator=generator)
    for start in range(0, run.batches_per_epoch * run.batch_size, run.batch_size):
        rows = order[start : start + run.batch_size]
        yield Batch(
            images.pixels.index_select(0, rows).to(run.device, non_blocking=True),
            images.label[rows].to(run.device, non_blocking=True),
            Draws.of(seed_of(seed, "epoch", epoch), rows.to(run.device, non_blocking=True)),
        )


def _under(context: AbstractContextManager[Any], updates: Iterator[Update]) -> Iterator[Update]:
    """The method's side of each update inside a context, the optimiser's side outside of it."""
    while True:
        with context:
            update = next(updates, None)
        if update is None:
            return
        yield update


def _autocast(run: Run) -> AbstractContextManager[Any]:
    precision = run.config.train.precision
    if precision == "auto":  # on a CPU, until its AUROC is shown to be equal, fp32
        precision = "bf16" if run.device.type == "cuda" else "fp32"
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(run.device.type, dtype=torch.bfloat16)


def _compile(run: Run) -> None:
    """Compile the networks where that pays, or where the config insists."""
    wanted = run.config.train.compile
    able = run.device.type == "cuda" and any(map(shutil.which, ("cc", "gcc", "clang")))
    if wanted == "on" or (wanted == "auto" and able and run.total >= COMPILE_FROM):
        for module in run.assembly.method.modules():
            if isinstance(module, Backbone):
                module.compile()


def _stop_unless_finite(run: Run) -> None:
    broken = [name for name, value in run.means.items() if not math.isfinite(value)]
    if broken:
        raise TrainingError(
            f"epoch {run.epoch}: {', '.join(broken)} is not finite; "
            "try a smaller learning rate, or train.precision fp32"
        )


def _resume(run: Run, optimizers: checkpoint.Optimizers) -> None:
    if run.out is not None:
        facts = checkpoint.load_state(run.out, run.assembly.method, optimizers)
        run.epoch, run.step = facts.get("epoch", 0), facts.get("step", 0)
        run.earlier = facts.get("seconds", 0.0)


def _save(run: Run, optimizers: checkpoint.Optimizers) -> None:
    if run.out is not None:
        facts = {"epoch": run.epoch, "step": run.step, "seconds": run.seconds}
        checkpoint.save_state(run.out, facts, run.assembly.method, optimizers)
