"""A plugin's exception becomes one line that names the component or hook it came from."""

from __future__ import annotations

import errno
import json

import pytest

from adframe.cli.main import main
from adframe.errors import PluginFault, UserError
from adframe.registry.blame import blame, out_of_memory
from adframe.registry.registry import reason

HOOKS = """
import os, sys, threading
from adframe import hookimpl

class Odd(BaseException):
    def __str__(self):
        raise RuntimeError("no")

class Observer:
    @hookimpl
    def adframe_progress(self, run, done, total):
        if os.environ.get("BREAK") == "progress":
            raise Odd()

@hookimpl
def adframe_run_start(run):
    run.attach(Observer())
    if os.environ.get("BREAK") == "thread":
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()

@hookimpl
def adframe_epoch_end(run, epoch):
    if os.environ.get("BREAK") == "epoch" and epoch == 2:
        raise KeyError("boom")
    if os.environ.get("BREAK") == "exit" and epoch == 2:
        sys.exit(0)
"""
WHERE = "; ADFRAME_TRACEBACK=1 shows where"


@pytest.fixture
def run(toy_file, tmp_path, capsys, monkeypatch):
    """Runs the toy config with hooks that break; returns the status and the lines of errors."""
    (tmp_path / "hooks.py").write_text(HOOKS)

    def run(out: str, broken: str = "", *words: str) -> tuple[int, list[str]]:
        monkeypatch.setenv("BREAK", broken)
        plugin = ["--plugin", str(tmp_path / "hooks.py"), "--out", str(tmp_path / out)]
        status = main(["run", str(toy_file), *plugin, *words])
        return status, capsys.readouterr().err.splitlines()

    return run


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        ("epoch", "adframe_epoch_end of plugin 'hooks' raised KeyError: 'boom'"),
        ("exit", "adframe_epoch_end of plugin 'hooks' raised SystemExit: 0"),
        ("progress", "adframe_progress of plugin 'hooks' raised Odd: its message cannot be shown"),
    ],
)
def test_a_hook_that_raises_is_named_and_the_training_is_saved(run, tmp_path, broken, text):
    assert run("whole")[0] == 0
    status, lines = run("parts", broken)
    assert (status, lines[-1]) == (1, text + WHERE)
    assert json.loads((tmp_path / "parts/state.json").read_text())["step"] == 4
    assert run("parts", "", "--resume")[0] == 0
    for name in ("scores.csv", "model.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    lines = (tmp_path / "parts/metrics.jsonl").read_text().splitlines()
    epochs = [json.loads(line)["epoch"] for line in lines]
    assert epochs == [1, 2]


def test_an_exception_in_a_thread_is_one_line_and_the_run_continues(run):
    status, lines = run("run", "thread")
    assert status == 0
    text = "plugin 'hooks' raised ZeroDivisionError: division by zero"
    assert [line for line in lines if "ZeroDivision" in line] == [text + WHERE]


class UnprintableError(Exception):
    def __str__(self):
        raise ValueError("no message")


def test_an_exception_without_a_message_has_a_reason():
    assert reason(UnprintableError()) == "UnprintableError: its message cannot be shown"
    assert not out_of_memory(UnprintableError())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("could not create a primitive"),  # oneDNN
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("can't start new thread"),
        ImportError("libtorch.so: failed to map segment from shared object"),
    ],
)
def test_full_memory_is_known_whoever_reports_it(error):
    assert out_of_memory(error)
    assert blame(error) is None


@pytest.mark.parametrize("error", [RuntimeError("x"), OSError(errno.ENOSPC, "x"), ImportError("x")])
def test_other_errors_are_not_full_memory(error):
    assert not out_of_memory(error)


@pytest.mark.parametrize(
    "error", [UserError("x"), KeyboardInterrupt(), MemoryError(), BrokenPipeError(), KeyError("x")]
)
def test_what_no_plugin_raised_is_not_blamed_on_one(error):
    assert blame(error) is None


def test_a_fault_that_names_its_plugin_stays_as_it_is():
    fault = PluginFault("loss 'x': returns None")
    assert blame(fault) is fault


@pytest.mark.parametrize("base", ["BaseException", "GeneratorExit", "SystemExit", "Exception"])
@pytest.mark.parametrize("unprintable", [False, True])
def test_whatever_a_plugin_raises_on_import_is_one_line(tmp_path, capsys, base, unprintable):
    method = "    def __str__(self): raise ValueError\n" if unprintable else "    pass\n"
    (tmp_path / "odd.py").write_text(f"class Odd({base}):\n{method}raise Odd('text')\n")
    assert main(["list", "--plugin", str(tmp_path / "odd.py")]) == 2
    text = "its message cannot be shown" if unprintable else "text"
    assert capsys.readouterr().err == f"plugin {tmp_path}/odd.py: Odd: {text}\n"
