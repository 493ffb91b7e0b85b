"""What of a config does not fit its method: groups without an optimizer, parts it does not use."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from adframe.config.model import RunConfig
from adframe.engine import returned
from adframe.engine.returned import expect
from adframe.errors import Problem, did_you_mean
from adframe.interfaces import Method, ViewSpec

logger = logging.getLogger("adframe")


def group_problems(config: RunConfig, method: Method) -> list[Problem]:
    """Problems of the names under ``optimizer``: each group of the method needs one entry."""
    chosen = config.optimizer
    if not isinstance(chosen, dict):
        return []
    groups = method.groups()
    expect(method, returned.groups(groups))
    name, known = config.method.entry.name, ", ".join(groups)
    problems = [
        Problem(
            ("optimizer", group),
            f"{name} has no group '{group}'{did_you_mean(group, groups)}; it has: {known}",
        )
        for group in chosen
        if group not in groups
    ]
    if lacking := [group for group in groups if group not in chosen]:
        text = f"no optimizer for {', '.join(lacking)}; {name} has the groups: {known}"
        problems.append(Problem(("optimizer",), text))
    return problems


def warn_of_ignored(config: RunConfig, method: Method, views: Iterable[ViewSpec]) -> None:
    """Log one line if a config sets parts that its method does not use.

    Args:
        config: the config.
        method: its method.
        views: what the scorers request; shifts that one of them requests are used.
    """
    shifted = any(spec.apply_shifts for spec in views)
    unused = [
        part
        for part in method.ignores
        if config.written((part,)) is not None
        and getattr(config, part, None) != []
        and not (part == "shifts" and shifted)
    ]
    if unused:
        name = config.method.entry.name
        logger.warning("the method %s does not use: %s", name, ", ".join(unused))
