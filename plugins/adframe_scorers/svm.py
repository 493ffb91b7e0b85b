"""One-class support vector machines."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from adframe.interfaces import Count, Features, Positive

from .density import scale
from .vectors import Output, VectorScorer, mean_rows, thinned, unit_rows


class OneClassSVM(VectorScorer):
    """Signed distance to the boundary of a one-class SVM (Schölkopf et al. 2001, scikit-learn).

    As in Sohn et al. (ICLR 2021): the ``rbf`` kernel compares unit vectors, with gamma as in
    ``kde``. The ``linear`` kernel takes vectors as they are. The score is positive outside of the
    boundary. The run stores the support vectors, their weights and the offset.

    Args:
        kernel: [published: rbf] ``rbf`` or ``linear``.
        nu: [inferred: DROC's code, 0.5] Upper bound on the share of training images
            outside of the boundary.
        sharpness: [inferred: DROC's code, 10] For ``rbf``: a larger value gives near
            neighbours more weight.
        limit: [inferred: DROC's code, 20000] Largest number of training images to fit on,
            evenly spaced.
    """

    def __init__(
        self,
        output: Output = "features",
        kernel: Literal["linear", "rbf"] = "rbf",
        nu: Annotated[float, Interval(gt=0, lt=1)] = 0.5,
        sharpness: Positive = 10.0,
        limit: Count = 20_000,
    ) -> None:
        self.output = output
        self.kernel = kernel
        self.nu = nu
        self.sharpness = sharpness
        self.limit = limit

    def fit(self, features: Features) -> None:
        from sklearn.svm import OneClassSVM as Machine

        rows = thinned(self._rows(features), self.limit)
        self.gamma = scale(rows) * self.sharpness
        machine = Machine(kernel=self.kernel, nu=self.nu, gamma=float(self.gamma))
        machine.fit(rows.numpy())
        self.support = torch.from_numpy(machine.support_vectors_).double()
        self.weight = torch.from_numpy(machine.dual_coef_[0]).double()
        self.offset = torch.from_numpy(machine.intercept_).double()

    def score(self, features: Features) -> Tensor:
        rows = self._rows(features).double()
        if self.kernel == "linear":
            similar = rows @ self.support.T
        else:
            similar = (-self.gamma.double() * torch.cdist(rows, self.support).square()).exp()
        return -(similar @ self.weight + self.offset).float()

    def _rows(self, features: Features) -> Tensor:
        rows = mean_rows if self.kernel == "linear" else unit_rows
        return rows(features, self.output)
