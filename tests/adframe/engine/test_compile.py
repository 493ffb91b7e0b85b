"""Conditions under which the networks of a run are compiled."""

from collections.abc import Callable

import pytest
from torch import nn

from adframe.config.model import RunConfig
from adframe.engine import train
from adframe.engine.runner import prepare
from adframe.errors import ConfigError


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """What is compiled, in place of compiling it."""
    modules: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: modules.append(self))
    monkeypatch.setattr(train, "COMPILE_FROM", 1)
    return modules


@pytest.mark.parametrize("when", ["auto", "on", "off"])
def test_only_on_compiles_on_a_cpu_and_only_the_backbone(
    when: str, toy: Callable[..., RunConfig], compiled: list[nn.Module]
) -> None:
    run = prepare(toy(f"train.compile={when}"), None)
    train._compile(run)
    assert compiled == ([run.assembly.method.backbone] if when == "on" else [])


@pytest.mark.parametrize(
    ("steps", "compiler", "expected"), [(1, True, 1), (99, True, 0), (1, False, 0)]
)
def test_auto_compiles_long_runs_on_cuda_where_there_is_a_compiler(
    steps: int,
    compiler: bool,
    expected: int,
    toy: Callable[..., RunConfig],
    compiled: list[nn.Module],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = prepare(toy(), None)
    run.device = type("Cuda", (), {"type": "cuda"})()
    monkeypatch.setattr(train, "COMPILE_FROM", steps)
    monkeypatch.setattr(train.shutil, "which", lambda name: "/bin/cc" if compiler else None)
    train._compile(run)
    assert len(compiled) == expected


def test_no_other_word_is_taken(toy: Callable[..., RunConfig]) -> None:
    with pytest.raises(ConfigError, match=r"train\.compile"):
        toy("train.compile=always")
