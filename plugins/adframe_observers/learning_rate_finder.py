"""A test of learning rates before training (Smith, WACV 2017)."""

from __future__ import annotations

import copy
import csv
import io
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from adframe import Run, hookimpl
from adframe.interfaces import Batch, Count, Images, Method, Observer, Positive, RandomKeys

from .files import write_text

logger = logging.getLogger("adframe")
Trial = tuple[float, float]  #: learning rate, smoothed loss


class LearningRateFinder(Observer):
    """Tries rising learning rates on a copy of the network, before training (Smith, WACV 2017).

    Prints the rate at which the loss falls fastest, and writes all to ``learning_rates.csv`` of the
    run folder. It changes nothing of the run: set the rate yourself. Optimizers with several groups
    are tried at one common factor of their rates. A resumed run does not repeat the test.

    Args:
        steps: [guess: 100] Number of steps, each on one batch.
        low: [guess: 1e-4] First learning rate, as a share of that in the config.
        high: [guess: 100] Last learning rate, as a multiple of that in the config.
    """

    def __init__(self, steps: Count = 100, low: Positive = 1e-4, high: Positive = 100.0) -> None:
        if low >= high:
            raise ValueError(f"low {low:g} must be less than high {high:g}")
        self.steps = steps
        self.low = low
        self.high = high

    @hookimpl
    def adframe_run_start(self, run: Run) -> None:
        if run.step or not run.total_steps:
            return
        with torch.random.fork_rng(devices=[]):
            trials = list(self._trials(run))
        if run.out is not None:
            _write(run.out, trials)
        found = steepest(trials)
        if found is None:
            logger.warning("learning_rate_finder: too few steps with a finite loss to compare")
        else:
            logger.warning("learning_rate_finder: the loss falls fastest at a rate of %.2g", found)

    def _trials(self, run: Run) -> Iterator[Trial]:
        method = copy.deepcopy(run.assembly.method)
        with torch.no_grad():
            method.eval().begin(_Batches(run, -(-len(run.data.train) // run.batch_size)))
        method.train()
        groups = {
            name: [parameter for parameter in group if parameter.requires_grad]
            for name, group in method.groups().items()
        }
        optimizers = {
            name: run.assembly.optimizer(name).build(group)
            for name, group in groups.items() if group
        }  # fmt: skip
        base = {
            name: [part["lr"] for part in optimizer.param_groups]
            for name, optimizer in optimizers.items()
        }
        mean, shown = 0.0, next(iter(base.values()), [1.0])[0]
        for step, batch in enumerate(_Batches(run, self.steps)):
            factor = self.low * (self.high / self.low) ** (step / max(self.steps - 1, 1))
            for name, optimizer in optimizers.items():
                for part, lr in zip(optimizer.param_groups, base[name], strict=True):
                    part["lr"] = lr * factor
            loss = _step(method, batch, optimizers, groups)
            if not math.isfinite(loss):
                return
            mean = 0.9 * mean + 0.1 * loss
            yield shown * factor, mean / (1 - 0.9 ** (step + 1))


def _step(
    method: Method,
    batch: Batch,
    optimizers: dict[str, torch.optim.Optimizer],
    groups: dict[str, list[torch.nn.Parameter]],
) -> float:
    """One step of training; returns the sum of the losses."""
    total = 0.0
    for update in method.step(batch, 0.0):
        total += float(update.loss.detach())
        if update.group in optimizers and math.isfinite(total):
            optimizers[update.group].zero_grad(set_to_none=True)
            torch.autograd.backward(update.loss, inputs=groups[update.group])
            optimizers[update.group].step()
    return total


@dataclass
class _Batches:
    """Whole batches of the training images in a fixed order, over and over."""

    run: Run
    count: int

    def __iter__(self) -> Iterator[Batch]:
        images, size, seed = self.run.data.train, self.run.batch_size, self.run.config.seed
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
        for step in range(self.count):
            turns = torch.arange(step * size, (step + 1) * size)
            batch = self._of(images, order[turns % len(images)], 2 * step)
            if self.run.exposed is not None:
                exposed = self.run.exposed
                batch.exposed = self._of(exposed, turns % len(exposed), 2 * step + 1)
            yield batch

    def _of(self, images: Images, rows: Tensor, seed: int) -> Batch:
        on = self.run.device
        keys = RandomKeys.from_index(seed, rows.to(on))
        return Batch(images.pixels[rows].to(on), images.label[rows].to(on), keys)


def steepest(trials: Sequence[Trial]) -> float | None:
    """The rate at which the loss falls fastest over the logarithm of the rate.

    The first tenth of the trials is ignored, and what comes after the smallest loss.
    """
    begin = len(trials) // 10
    losses = [loss for _, loss in trials]
    end = min(range(begin, len(trials)), key=losses.__getitem__, default=begin)
    falls = {
        index: (losses[index - 1] - losses[index + 1])
        for index in range(max(begin, 1), end)
        if losses[index - 1] > losses[index + 1]
    }
    return trials[max(falls, key=falls.__getitem__)][0] if falls else None


def _write(folder: Path, trials: Sequence[Trial]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("rate", "loss"), *trials])
    write_text(folder / "learning_rates.csv", text.getvalue())
