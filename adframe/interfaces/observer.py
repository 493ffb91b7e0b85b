"""The base class of observers, which watch a run and may end its training early."""

from __future__ import annotations


class Observer:
    """Watches a run: implements any of the hooks, each marked ``@hookimpl``.

    It is named under ``observers`` in a config and watches only runs of that config, from
    ``adframe_run_start`` to the end, and their evaluation by ``adframe evaluate``. A new instance
    is made for each run; a resumed run makes a new one. So what decides anything must be computed
    from the run, such as ``Run.history``, and not be counted here.

    Attributes:
        has_effect: whether the observer can change the result, as by ``Run.finish``. Only then are
            its options a part of the run, which a resumed run must not change.
    """

    has_effect: bool = False

    def close(self, error: BaseException | None) -> None:
        """Called last, however the run ends; ``error`` is what ended it, None if it is complete."""
