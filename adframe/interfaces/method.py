"""The base class of training methods, and the parts that a method trains with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor, nn

from adframe.interfaces.backbone import Backbone
from adframe.interfaces.training import Loss, Schedule, Shift
from adframe.interfaces.types import Batch, Update
from adframe.parallel.rows import by_rows
from adframe.random import RandomKeys

T = TypeVar("T")


class Method(nn.Module, ABC):
    """A training method: computes the losses to minimise for each batch."""

    takes_exposed: bool = False  #: whether the method trains on ``Batch.exposed``
    shifts_augmented: bool = False  #: whether the schedule augments before the shift, not after
    side: int | None = None  #: side of the square windows it trains on; None for whole images
    #: Names of the ``MethodParts`` that the method does not use, of ``objective``, ``shifts``,
    #: ``schedule`` and ``backbone``. A config that sets one gets a warning, and it needs no
    #: ``objective``.
    ignores: tuple[str, ...] = ()
    #: Names of its modules, besides the backbone, that ``start.init_from`` takes from a run whose
    #: method has modules of these names. Other runs leave them as they are.
    starts_with: tuple[str, ...] = ()

    @abstractmethod
    def setup(self, parts: MethodParts) -> None:
        """Stores the parts and creates all other parameters. Called once, before ``groups``.

        Raises:
            ValueError: the parts do not fit together; one clear line.
        """

    def begin(self, batches: Iterable[Batch]) -> None:
        """Prepares training: computes a centre, clusters, a bank of features, ...

        Called once in a run, after ``setup`` and before the first step; not in a resumed run. So
        what it computes must be in the state: values of buffers and parameters, changed in place.
        An empty buffer may be replaced by one of any shape. It is called in evaluation mode
        without gradients; use ``torch.enable_grad()`` to train.

        Args:
            batches: the training images in order, on the device of the method; every image is in
                one batch. It can be iterated several times.
        """

    @abstractmethod
    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        """Yields losses to minimise. It resumes after the optimiser step for each of them."""

    @abstractmethod
    def embed(self, images: Tensor) -> dict[str, Tensor]:
        """Outputs of the trained network for (N, 3, H, W) floating-point images in 0..1.

        Returns:
            name -> (N, D) for each of ``outputs()``.
        """

    def embed_only(self, images: Tensor, outputs: Sequence[str]) -> dict[str, Tensor]:
        """The same as ``embed``, but only these outputs are needed.

        The default computes all. Override it if an output is expensive: then ``features`` alone,
        which are looked into after each epoch, must be cheap.
        """
        return self.embed(images)

    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs of ``embed``, after ``setup``. Pooled ``features`` are required."""
        return ("features",)

    def feature_maps(self, images: Tensor, depth: int) -> list[Tensor]:
        """Feature maps of stages 1..depth, (N, D, h, w) each, for images as for ``embed``.

        The default calls the attribute ``backbone``. Override it if the trained network is another.
        """
        backbone = self.backbone
        assert isinstance(backbone, Backbone)
        maps: list[Tensor] = backbone(images, depth)
        return maps

    def by_rows(self, function: Callable[..., T], *rows: Tensor | RandomKeys) -> T:
        """Computes a function that treats each row, such as an image, separately.

        A step that is computed by several processes shares these rows among them; everything else
        is computed by each of them, for the whole batch. So a method need not use this to be right,
        only to be faster, or to need less memory. A call of the backbone is shared without it.

        Args:
            function: takes ``rows``; returns tensors with one row for each, or lists, tuples or
                dictionaries of them. It uses no parameters but those of the method. Only batch
                normalisation and dropout may use other rows, or random numbers of torch.
            rows: tensors (N, ...), and keys of N rows.
        """
        return by_rows(self, function, *rows)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Trainable parameters by group. An update moves the parameters of one group.

        Parameters that are frozen (``requires_grad`` is False) when training starts are not
        trained and keep their values; a method must not unfreeze them later. It may freeze and
        unfreeze others.
        """
        return {"main": [p for p in self.parameters() if p.requires_grad]}


@dataclass(frozen=True)
class LossTerm:
    """One term of the training objective: a loss with its stages and weights."""

    loss: Callable[[], Loss]  #: creates a new instance, since each stage may train parameters
    stages: Sequence[int] | None  #: None for all stages that the schedule trains
    weight: float | Sequence[float]  #: one for all stages, or one for each
    name: str = "term"  #: registered name of the loss; its value at stage 4 is logged as ``name_4``


@dataclass(frozen=True)
class MethodParts:
    """The components that a method trains with."""

    backbone: Backbone
    shifts: Sequence[Shift]
    schedule: Schedule
    objective: Sequence[LossTerm]
    classes: int  #: number of inlier classes
    #: Height and width of the images in pixels; None if no data is read (``adframe check``).
    image_size: tuple[int, int] | None = None
