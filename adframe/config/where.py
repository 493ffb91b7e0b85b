"""Where the problems of a config were written: file and line, or a setting."""

from __future__ import annotations

from collections.abc import Iterable

from adframe.config.yaml_tree import ConfigNode
from adframe.errors import ConfigError, KeyPath, Problem
from adframe.registry.registry import Plugin


def located(problems: Iterable[Problem], node: ConfigNode) -> ConfigError:
    """The problems with file and line, sorted by file and line."""

    def order(problem: Problem) -> tuple[str, int]:
        file, _, line = problem.where.rpartition(":")
        return (file, int(line)) if line.isdecimal() else (problem.where, 0)

    found = []
    for problem in problems:
        path = as_written(problem.path, node)
        found.append(Problem(path, problem.message, node.origin_of(path)))
    return ConfigError(sorted(found, key=order))


def as_written(path: KeyPath, node: ConfigNode) -> KeyPath:
    """A path as the files have it: a single scorer need not be in a list."""
    scorer = node.value.get("scorer")
    if path[:2] == ("scorer", 0) and (scorer is None or not isinstance(scorer.value, list)):
        return ("scorer", *path[2:])
    return path


def once(problems: Iterable[Problem], plugins: Iterable[Plugin]) -> list[Problem]:
    """Remove repeated notes on broken plugins from problems."""
    notes = [f" ({plugin.note})" for plugin in plugins if plugin.error]
    kept: list[Problem] = []
    for problem in problems:
        message = problem.message
        for note in notes:
            if any(note in earlier.message for earlier in kept):
                message = message.replace(note, "")
        kept.append(Problem(problem.path, message))
    return kept
