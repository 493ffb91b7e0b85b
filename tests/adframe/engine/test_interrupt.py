"""Signals at chosen moments: in finally blocks, destructors, handlers, and outside a command."""

import math
import os
import signal
import sys
import time
from contextlib import nullcontext

import pytest

from adframe.engine import interrupt
from adframe.engine.interrupt import Stop
from adframe.errors import Stopped

TERM = signal.SIGTERM


@pytest.fixture(autouse=True)
def handlers():
    before = [signal.getsignal(n) for n in (signal.SIGINT, TERM)], sys.unraisablehook
    yield
    assert ([signal.getsignal(n) for n in (signal.SIGINT, TERM)], sys.unraisablehook) == before


@pytest.fixture
def ended(monkeypatch):
    """Signals by which the process would have ended."""
    found, send = [], signal.raise_signal

    def raise_signal(number):
        found.append(number) if signal.getsignal(number) is signal.SIG_DFL else send(number)

    monkeypatch.setattr(signal, "raise_signal", raise_signal)
    return found


def test_a_command_raises_nothing_before_and_after(ended):
    stop = Stop(ends_process=True)
    with stop.watching():
        with stop.raising():
            pass
        signal.raise_signal(TERM)  # while it ends
        assert stop.asked == TERM
        with pytest.raises(Stopped), stop.raising():  # while it starts
            raise AssertionError("it starts")
    assert not ended


def test_while_a_command_cleans_up_a_repeated_signal_waits_and_a_later_one_ends_it(
    ended, monkeypatch
):
    def interrupted():
        try:
            signal.raise_signal(TERM)
        finally:
            monkeypatch.setattr(interrupt, "SAME", math.inf)
            signal.raise_signal(TERM)
            assert not ended
            monkeypatch.setattr(interrupt, "SAME", 0.0)
            signal.raise_signal(TERM)
            assert ended == [TERM]

    stop = Stop(ends_process=True)
    with stop.watching(), pytest.raises(Stopped), stop.raising():
        interrupted()


def test_the_handler_of_a_run_tells_that_of_its_command():
    command, run = Stop(ends_process=True), Stop()
    with command.watching(), command.raising():
        with run.watching(), pytest.raises(Stopped):
            signal.raise_signal(TERM)
        assert command.asked == run.asked == TERM
        signal.raise_signal(TERM)  # the second of `timeout`


@pytest.mark.parametrize("nested", [False, True])
def test_an_exception_that_python_drops_comes_again(nested, capsys):
    class Signalled:
        def __del__(self):
            signal.raise_signal(TERM)

    def waits():
        Signalled()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            time.sleep(0.01)

    command, run = Stop(ends_process=True), Stop()
    inner = run.watching() if nested else nullcontext()
    with command.watching(), pytest.raises(Stopped) as caught, command.raising(), inner:
        waits()
    assert caught.value.status == 143
    assert capsys.readouterr().err == ""


def test_other_exceptions_that_python_drops_are_shown(monkeypatch):
    class Failing:
        def __del__(self):
            raise OSError("its own")

    shown = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: shown.append(str(lost.exc_value)))
    with Stop().watching():
        Failing()
    assert shown == ["its own"]


@pytest.mark.parametrize("ends_process", [False, True])
def test_a_signal_while_handlers_are_restored_comes_after_it(monkeypatch, ends_process):
    set_handler, stop, restored = signal.signal, Stop(ends_process), []

    def slow(number, handler):
        if handler != stop._handle:
            os.kill(os.getpid(), TERM)
            restored.append(number)
        return set_handler(number, handler)

    monkeypatch.setattr(interrupt, "SAME", math.inf)
    with pytest.raises(Stopped) if not ends_process else nullcontext(), stop.watching():
        monkeypatch.setattr(signal, "signal", slow)
    assert restored == [signal.SIGINT, TERM]
    assert stop.asked == TERM
