"""Executors: what runs jobs. Found by entry points, as components and verbs are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence

from adframe.errors import PluginFault, UserError, did_you_mean
from adframe.jobs.job import Ended, Job
from adframe.registry.entry_points import Point, entry_points, stops
from adframe.registry.registry import reason

GROUP = "adframe.executors"


class Executor(ABC):
    """Runs jobs in other processes or on other machines.

    A third party registers a subclass as an entry point of the group ``adframe.executors``. It is
    made with the text after the colon of ``--on NAME:TEXT``, which may be empty.

    Raises:
        UserError: the constructor cannot use the text, or a package is missing; one line.
    """

    def __init__(self, text: str = "") -> None:
        if text:
            raise UserError(f"nothing can follow the name, not ':{text}'")

    @abstractmethod
    def run(self, jobs: Sequence[Job]) -> Generator[tuple[int, Ended | None]]:
        """Index and end of each job, in the order in which they end; None when a job starts.

        ``jobs`` may make a job when it is fetched: fetch each once, in order, and only when it can
        start soon. A job whose process is lost is tried again. If it is closed early, because the
        command was stopped, the jobs that run save a checkpoint and end.
        """


def executor(name: str) -> Executor:
    """The executor that ``NAME`` or ``NAME:TEXT`` stands for, such as ``local:4``.

    Raises:
        UserError: there is none of this name, or it cannot use TEXT.
        PluginFault: it cannot be imported.
    """
    name, _, text = name.partition(":")
    points = {point.name: point for point in entry_points(GROUP)}
    if name not in points:
        hint = did_you_mean(name, points) or f" (there is: {', '.join(sorted(points))})"
        raise UserError(f"--on: no executor '{name}'{hint}")
    try:
        found = _load(points[name])(text)
    except UserError as error:
        raise UserError(f"--on {name}: {error}") from error
    return found


def _load(point: Point) -> type[Executor]:
    try:
        found: type[Executor] = point.load()
    except BaseException as error:
        if stops(error) or isinstance(error, UserError):
            raise
        raise PluginFault(f"executor '{point.name}' did not load: {reason(error)}") from error
    return found
