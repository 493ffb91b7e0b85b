"""Scores images while a run trains, with the network as it is."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from statistics import fmean

import torch
from torch import Tensor

from adframe.config.model import RunConfig
from adframe.engine.build import Assembly
from adframe.engine.collecting import noting
from adframe.engine.fold import folded
from adframe.engine.metrics import auroc, figure, has_figure
from adframe.engine.scoring import fit, score
from adframe.interfaces import Images, Scored, Scorer
from adframe.parallel.world import ALONE, World


def scorer_names(config: RunConfig) -> list[str]:
    """A name for each scorer: that of the component, numbered if it is there already."""
    names: list[str] = []
    for index, spec in enumerate(config.scorer):
        name = spec.entry.name
        names.append(name if name not in names else f"{name}_{index}")
    return names


class Judge:
    """New scorers, fitted on the network as it is; the scorers of the run stay as they are.

    Args:
        config: config of the run.
        assembly: its components.
        train: the training images.
        exposed: known outliers, if there are any.
        failures: gets the index of each scorer that fails, and why; by default the first error
            is raised.
        world: the processes that share the work.

    Raises:
        TrainingError: the features of a training image are not finite.
    """

    def __init__(
        self,
        config: RunConfig,
        assembly: Assembly,
        train: Images,
        exposed: Images | None,
        failures: dict[int, str] | None = None,
        world: World = ALONE,
    ) -> None:
        self.config, self.assembly, self.failures = config, assembly, failures
        self.world = world
        with torch.random.fork_rng(devices=[]):  # training does not depend on being watched
            self.scorers: list[Scorer] = [spec.build() for spec in config.scorer]
            self.method = folded(assembly.method, train.pixels.shape[1:])
            parts = self.scorers, self.method, assembly.shifts
            fit(*parts, train, config.seed, exposed, failures=failures, world=world)

    def scores(self, images: Images) -> dict[str, Tensor]:
        """Scores of images: name of a scorer -> (N,) float32; NaN if it failed."""
        parts = self.scorers, self.method, self.assembly.shifts
        with torch.random.fork_rng(devices=[]):
            found = score(
                *parts, images.pixels, self.config.seed, failures=self.failures, world=self.world
            )
        return dict(zip(scorer_names(self.config), found, strict=True))

    def figures(self, sets: Mapping[str, Images]) -> dict[str, float]:
        """Mean over sets of anomalies of the AUROC, and of each metric of the config.

        Args:
            sets: ``inliers``, and each set of anomalies.

        Returns:
            ``validation_auroc`` and so on of the first scorer; the name of another is added. A
            figure that failed or is not finite is omitted.
        """
        of_sets = {title: self.scores(images) for title, images in sets.items()}
        figures = dict[str, float]()
        for index, name in enumerate(scorer_names(self.config)):
            scores = {title: of[name] for title, of in of_sets.items()}
            if all(bool(of.isfinite().all()) for of in scores.values()):
                for what, values in self._figures(scores).items():
                    figures[f"validation_{what}{f'_{name}' if index else ''}"] = fmean(values)
        return {name: value for name, value in figures.items() if isfinite(value)}

    def _figures(self, scores: dict[str, Tensor]) -> dict[str, list[float]]:
        """The figures of one scorer, one value for each set of anomalies."""
        found = {"auroc": list(auroc(scores).values())}
        normal, *others = (Scored(of) for of in scores.values())
        for spec, metric in zip(self.config.metrics, self.assembly.metrics, strict=True):
            with noting({}, 0):
                if all(has_figure(metric, normal, each) for each in others):
                    found[spec.entry.name] = [figure(metric, normal, each) for each in others]
        return found
