"""Base classes of components that change one thing of another component."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from torch import Tensor, nn

from adframe.interfaces.method import Method, MethodParts
from adframe.interfaces.types import Batch, Update


class MethodWrapper(Method):
    """A method that changes something of another one; all else is passed on.

    Parameters that it adds itself are trained in the group ``main``.

    Args:
        of: The method.

    Example:
        A method that trains on inverted images::

            class Inverted(MethodWrapper):
                def step(self, batch, progress):
                    return self.of.step(replace(batch, pixels=255 - batch.pixels), progress)

                def embed(self, images):
                    return self.of.embed(1 - images)
    """

    def __init__(self, of: Method) -> None:
        super().__init__()
        self.of = of
        self.takes_exposed = of.takes_exposed
        self.shifts_augmented = of.shifts_augmented
        self.side = of.side
        self.ignores = of.ignores

    def setup(self, parts: MethodParts) -> None:
        """Passes the parts on."""
        self.of.setup(parts)

    def begin(self, batches: Iterable[Batch]) -> None:
        """Passes the batches on."""
        self.of.begin(batches)

    def step(self, batch: Batch, progress: float) -> Iterator[Update]:
        """Passes the batch on."""
        return self.of.step(batch, progress)

    def embed(self, images: Tensor) -> dict[str, Tensor]:
        """Passes the images on."""
        return self.of.embed(images)

    def embed_only(self, images: Tensor, outputs: Sequence[str]) -> dict[str, Tensor]:
        """These outputs of ``embed``; override both to change them."""
        if type(self).embed is not MethodWrapper.embed:
            return self.embed(images)
        return self.of.embed_only(images, outputs)

    def outputs(self) -> tuple[str, ...]:
        """The outputs of the method."""
        return self.of.outputs()

    def feature_maps(self, images: Tensor, depth: int) -> list[Tensor]:
        """The feature maps of the method."""
        return self.of.feature_maps(images, depth)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """The groups of the method; own parameters are added to ``main``."""
        groups = self.of.groups()
        inner = {id(parameter) for parameter in self.of.parameters()}
        own = [p for p in self.parameters() if id(p) not in inner and p.requires_grad]
        return {**groups, "main": [*groups.get("main", []), *own]} if own else groups
