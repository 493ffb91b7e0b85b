"""An MLflow log; needs the package mlflow (``pip install adframe[mlflow]``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adframe import Run

from .logger import Logger


class MLflow(Logger):
    """Logs config and metrics with MLflow; a resumed run begins a new MLflow run.

    Args:
        tracking_uri: Where to log, such as the address of a server; by default ``mlruns/`` in the
            run folder.
        experiment: Name of the MLflow experiment.
    """

    def __init__(self, tracking_uri: str | None = None, experiment: str = "adframe") -> None:
        import mlflow

        self.make: Any = mlflow.MlflowClient
        self.tracking_uri, self.experiment = tracking_uri, experiment
        self.client: Any = None

    def open(self, run: Run) -> None:
        assert run.out is not None, "only a run with a folder is logged"
        folder = run.out.resolve() / "mlruns"
        self.client = self.make(tracking_uri=self.tracking_uri or folder.as_uri())
        known = self.client.get_experiment_by_name(self.experiment)
        number = known.experiment_id if known else self.client.create_experiment(self.experiment)
        self.run_id = self.client.create_run(number, run_name=run.out.name).info.run_id
        self.client.log_text(self.run_id, run.config.yaml(), "config.yaml")

    def write(self, values: Mapping[str, float], epoch: int) -> None:
        for name, value in values.items():
            self.client.log_metric(self.run_id, name, value, step=epoch)

    def close(self, error: BaseException | None) -> None:
        if self.client is not None:
            self.client.set_terminated(self.run_id, "FINISHED" if error is None else "FAILED")
