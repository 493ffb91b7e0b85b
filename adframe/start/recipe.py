"""Which of two configs ``init`` writes: one that compares images, or one that trains a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adframe.errors import UserError
from adframe.start.survey import Survey

Choice = Literal["auto", "compare", "train"]
CHOICES: tuple[Choice, ...] = ("auto", "compare", "train")
MOST = 10_000  # training images that each new image is compared with


@dataclass(frozen=True)
class Recipe:
    """A config for ``init`` to fill in.

    Attributes:
        template: its file.
        sides: pixels of the square that images become; the first that time allows.
        trains: whether it trains a network.
    """

    template: str
    sides: tuple[int, ...]
    trains: bool


COMPARE = Recipe("compare.tmpl", (128, 64, 32), trains=False)
TRAIN = Recipe("config.tmpl", (64, 32), trains=True)


def recipe_for(found: Survey, choice: Choice = "auto") -> Recipe:
    """The recipe for the images of a folder.

    Args:
        found: what lies there.
        choice: the recipe; ``auto`` compares images that lie alike, unless they are very many, and
            trains on all others. Anomalies have no part in the choice.

    Raises:
        UserError: ``choice`` is none of these.
    """
    if choice not in CHOICES:
        raise UserError(f"recipe: must be one of {', '.join(CHOICES)}, not {choice!r}")
    if choice != "auto":
        return COMPARE if choice == "compare" else TRAIN
    few = sum(map(len, found.layout.train.values())) <= MOST
    return COMPARE if found.aligned and few else TRAIN
