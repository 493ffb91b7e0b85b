"""The trials of a search, remembered in one file; Optuna draws the values of the next one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from adframe.errors import UserError
from adframe.io import atomic
from adframe.io.work_folder import earlier_work
from adframe.tune.objective import Better
from adframe.tune.space import Axis

MEMORY = "tune.json"  #: in the folder of a search
Status = Literal["running", "done", "failed"]


@dataclass
class Trial:
    """One trial.

    Attributes:
        number: counts from 0.
        drawn: key -> what Optuna has drawn; a choice is its text.
        status: ``running`` from the moment it is drawn.
        value: the figure; None until done.
        seconds: of the run.
        reason: why it failed.
    """

    number: int
    drawn: dict[str, Any]
    status: Status = "running"
    value: float | None = None
    seconds: float | None = None
    reason: str = ""


@dataclass
class Study:
    """A search.

    Attributes:
        folder: its folder; nobody else writes there.
        axes: the space.
        facts: what makes it this search: metric, better, seed, space, and the digest of the config.
        trials: all trials, by number.
    """

    folder: Path
    axes: Sequence[Axis]
    facts: dict[str, Any]
    trials: list[Trial] = field(default_factory=list)

    def __post_init__(self) -> None:
        import_optuna()
        path = self.folder / MEMORY
        found = earlier_work(path, self.facts, "search", "another search", _is_trial)
        if found is None:
            return
        try:
            self.trials = [Trial(**each) for each in found["trials"]]
        except (KeyError, TypeError) as error:
            raise UserError(f"{path}: is damaged") from error

    @property
    def direction(self) -> Better:
        """Whether higher or lower values are better."""
        better: Better = self.facts["better"]
        return better

    @property
    def best(self) -> Trial | None:
        """The best trial that is done, the first one on a tie."""
        sign = 1 if self.direction == "lower" else -1
        done = [trial for trial in self.trials if trial.value is not None]
        return min(done, key=lambda trial: sign * (trial.value or 0.0), default=None)

    def draw(self) -> Trial:
        """Draw the values of a new trial from all that is known, and remember them.

        The seed of a draw depends on the number of the trial only, so a search that was interrupted
        draws what it would have drawn.
        """
        optuna = import_optuna()
        number = len(self.trials)
        space = {axis.key: axis.distribution() for axis in self.axes}
        text = f"{self.facts['seed']}/{number}"
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        study = optuna.create_study(
            direction="minimize" if self.direction == "lower" else "maximize",
            sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True),
        )
        states = optuna.trial.TrialState
        of = {"done": states.COMPLETE, "failed": states.FAIL, "running": states.RUNNING}
        study.add_trials(
            [
                optuna.trial.create_trial(
                    state=of[trial.status],
                    params=trial.drawn,
                    distributions=space,
                    value=trial.value if trial.status == "done" else None,
                )
                for trial in self.trials
            ]
        )
        self.trials.append(Trial(number, study.ask(space).params))
        self.save()
        return self.trials[-1]

    def end(self, number: int, value: float | None, seconds: float | None, reason: str) -> None:
        """Remember how a trial ended: with a value, or failed for a reason."""
        trial = self.trials[number]
        trial.status = "failed" if value is None else "done"
        trial.value, trial.seconds, trial.reason = value, seconds, reason
        self.save()

    def save(self) -> None:
        """Write ``tune.json``."""
        atomic.write_json(self.folder / MEMORY, self.as_json())

    def as_json(self) -> dict[str, Any]:
        """The content of ``tune.json``."""
        best = None if self.best is None else self.best.number
        return {**self.facts, "best": best, "trials": [asdict(trial) for trial in self.trials]}


def import_optuna() -> Any:
    """Optuna, which prints nothing.

    Raises:
        UserError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise UserError("tune needs Optuna: pip install 'adframe[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _is_trial(name: str) -> bool:
    return name.startswith("trial-")
