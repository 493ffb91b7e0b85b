"""Settings of the process that a plugin changes are restored, and the plugin is named."""

from __future__ import annotations

import logging
import os
import sys
import warnings

import pytest
import torch

from adframe.engine.build import build
from adframe.registry.loading import load_plugins
from adframe.registry.process_state import unchanged

CHANGES = {
    "torch.set_default_dtype(torch.float64)": "torch's default dtype",
    "torch.set_grad_enabled(False)": "torch's gradient mode",
    "torch.set_num_threads(3)": "torch's number of threads",
    "torch.use_deterministic_algorithms(True)": "torch's deterministic algorithms",
    "torch.set_default_device('meta')": "torch's default device",
    "sys.setrecursionlimit(4321)": "the recursion limit",
    "os.chdir('/')": "the current folder",
    "locale.setlocale(locale.LC_ALL, 'C.UTF-8')": "the locale",
    "warnings.filterwarnings('ignore')": "the warning filters",
}
IMPORTS = "import locale, os, sys, warnings\nimport torch\n"


def _state():
    torch_state = (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads())
    more = torch.are_deterministic_algorithms_enabled(), torch.get_default_device()
    filters = [f for f in warnings.filters if f[:4] == ("ignore", None, Warning, None)]
    return *torch_state, *more, sys.getrecursionlimit(), os.getcwd(), filters


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_on_import_is_restored_and_named(change, tmp_path, caplog):
    before = _state()
    (tmp_path / "odd.py").write_text(f"{IMPORTS}{change}\n")
    with caplog.at_level(logging.WARNING, "adframe"):
        loaded = load_plugins([tmp_path / "odd.py"])
    assert _state() == before
    text = f"plugin 'odd' changes {CHANGES[change]}; restored"
    assert [record.getMessage() for record in caplog.records] == [text]
    assert all(plugin.error is None for plugin in loaded.registry.plugins)


def test_a_change_in_a_constructor_is_restored_and_named(tmp_path, caplog):
    (tmp_path / "odd.py").write_text(
        f"""{IMPORTS}
from adframe import hookimpl
from adframe.interfaces import Optimizer

class Odd(Optimizer):
    def __init__(self) -> None:
        torch.set_default_dtype(torch.float64)

    def build(self, parameters):
        return torch.optim.Adam(parameters)

@hookimpl
def adframe_register(add):
    add("optimizer", "odd", Odd)
"""
    )
    with caplog.at_level(logging.WARNING, "adframe"):
        build("optimizer", "odd", load_plugins([tmp_path / "odd.py"]))
    assert torch.get_default_dtype() == torch.float32
    text = "optimizer 'odd' of plugin 'odd' changes torch's default dtype; restored"
    assert [record.getMessage() for record in caplog.records] == [text]


def test_nothing_is_said_of_what_did_not_change(caplog):
    with unchanged("nobody"), caplog.at_level(logging.WARNING, "adframe"):
        warnings.filterwarnings("ignore", message="one text")
    assert not caplog.records
