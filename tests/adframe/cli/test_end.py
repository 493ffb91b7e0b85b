"""How a command ends: by a signal at any moment, and with threads that continue."""

import os
import signal
import threading

import pytest

from adframe.cli import main as command


@pytest.fixture(autouse=True)
def interruptible():
    """A background shell ignores SIGINT; its children would, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("raised", [None, ImportError("half of a library"), SystemError("null")])
def test_a_signal_at_any_moment_is_one_line(monkeypatch, capsys, number, status, raised):
    def signalled():
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            if raised is None:
                raise
            raise raised from None

    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr(command, "find_verbs", signalled)
    assert command.main(["list"]) == status
    assert capsys.readouterr().err == "interrupted\n"
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_plugin_is_imported_is_not_its_fault(tmp_path, capsys, number):
    plugin = tmp_path / "slow.py"
    plugin.write_text(f"import signal\nsignal.raise_signal({int(number)})\n")
    assert command.main(["list", "--plugin", str(plugin)]) == 128 + number
    assert capsys.readouterr().err == "interrupted\n"


def test_a_thread_that_continues_does_not_keep_the_process(monkeypatch, capsys):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(command, "THREADS_END", 0.05)
    command._end_with_threads(3)
    assert ended == []
    quick = threading.Thread(target=lambda: None)
    quick.start()
    command._end_with_threads(3)
    assert ended == []
    release = threading.Event()
    endless = threading.Thread(target=release.wait, name="uploader")
    endless.start()
    command._end_with_threads(3)
    release.set()
    endless.join()
    assert ended == [3]
    assert capsys.readouterr().err == "ended with threads that continue: uploader\n"
