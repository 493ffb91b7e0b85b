"""The sections of a config: one term of the objective, known outliers, decisions, training."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval
from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from adframe.config.durations import EpochsOrTime
from adframe.config.option_types import PathOption, Settings
from adframe.config.schema import Component
from adframe.config.specs import ComponentSpec
from adframe.interfaces import NoEffect

Weight = Annotated[float, Ge(0)]
Share = Annotated[float, Interval(gt=0, lt=1)]


class Section(Settings):
    """A mapping whose keys are documented by the text below them."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Term(Section):
    """One term of the objective: which loss, at which stages, with which weight."""

    loss: Annotated[ComponentSpec, Component("loss")]
    """The loss: its name, or a mapping with ``name`` and options."""
    stages: list[Annotated[int, Ge(1)]] | None = None
    """Stages of the network it is computed at, 1 is the first; all that the schedule trains."""
    weight: Weight | list[Weight] = 1.0
    """Factor of the loss: one number, or one for each of ``stages``."""


class Exposure(Section):
    """Known outliers: the network trains on them (outlier exposure), or only scorers see them."""

    dataset: Annotated[ComponentSpec, Component("dataset")]
    """Where the images come from: the training images of a data set, or any folder."""
    ratio: Annotated[float, Interval(ge=0, le=64)] = 1.0
    """Known outliers per inlier in a batch; 0 shows them to scorers only."""


class Decision(Section):
    """Which images are called anomalous: by a p-value, or by what labelled anomalies teach."""

    false_alarms: Share = 0.01
    """Share of inliers that may be called anomalous; without recall and best_f1."""
    recall: Annotated[float, Interval(gt=0, le=1)] | None = None
    """Share of the anomalies of the validation split to find, with the fewest false alarms."""
    best_f1: bool = False
    """Takes the threshold of the best F1 score on the validation split."""
    calibration: Share = 0.2
    """Share of the training images that is held out to calibrate the scores."""
    validation: Share = 0.3
    """Share of the test images to hold out for recall or best_f1, if the data has no such split."""

    @property
    def rule(self) -> str:
        """What gives the threshold: ``false_alarms``, ``recall`` or ``best_f1``."""
        labelled = "best_f1" if self.best_f1 else "false_alarms"
        return labelled if self.recall is None else "recall"

    @model_validator(mode="after")
    def _one_rule(self) -> Decision:
        if self.recall is not None and self.best_f1:
            raise PydanticCustomError("decision", "set recall or best_f1, not both")
        return self


class Start(Section):
    """What the network starts with, and what of it stays. Files are read once, before training."""

    weights: PathOption | None = None
    """A safetensors file with the weights of the backbone, by name."""
    init_from: PathOption | None = None
    """The folder of a finished run, whose backbone is taken."""
    freeze: Literal["none", "all"] | list[Annotated[int, Ge(1)]] = "none"
    """Stages of the backbone that training leaves as they are, 1 is the first; or ``all``."""

    @model_validator(mode="after")
    def _one_source(self) -> Start:
        if self.weights is not None and self.init_from is not None:
            raise PydanticCustomError("start", "has both weights and init_from; name one")
        return self


class Validation(Section):
    """Images to judge a run by while it trains: they are scored after some epochs, and logged."""

    every: Annotated[int, Ge(1)] = 1
    """Epochs from one time to the next; also after the last epoch."""
    share: Share = 0.1
    """Share of the training images that is held out, if the data set has no validation images."""
    anomalies: Annotated[Any, Component("shift", optional=True)] = None
    """Shift that makes anomalies of the validation inliers, for validation images without any."""
    outliers: list[Annotated[ComponentSpec, Component("dataset")]] = Field(default_factory=list)
    """Data sets whose images are anomalies to judge the run by, too; none of them a test image."""


class Train(Section):
    """How long the network is trained, on which device, and when checkpoints are written."""

    epochs: Annotated[int, Interval(ge=0, le=1_000_000)]
    """Passes over the training images; 0 only fits the scorers."""
    batch_size: Annotated[int, Interval(ge=2, le=65_536)] = 32
    """Inliers in a batch; their shifted copies and known outliers are added to it."""
    drop_last: bool = True
    """Omits the last batch of an epoch if it is smaller; always if it is a single image."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Floating-point type of the network; ``auto`` is bf16 on CUDA and fp32 on CPUs."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Whether ``torch.compile`` is used; ``auto`` compiles long runs on CUDA only."""
    device: Annotated[str, NoEffect()] = "auto"
    """A PyTorch device such as ``cpu`` or ``cuda:1``; ``auto`` takes CUDA if there is one."""
    checkpoint_every: Annotated[EpochsOrTime, NoEffect()] = "10min"
    """Epochs (``5``; 0: only at the end) or time (``2h``) from one checkpoint to the next."""
    clip: Annotated[float, Gt(0)] | None = None
    """Largest allowed norm of the gradient of a parameter group; no limit by default."""
