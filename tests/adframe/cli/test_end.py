"""How a command ends: by a signal at any moment, and with threads that continue."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

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


@pytest.mark.parametrize("status", [0, 3])
def test_a_signal_that_a_plugin_drops_is_told_at_the_end(monkeypatch, capsys, status):
    def dropping(words):
        with suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        return status

    monkeypatch.setattr(command, "_call", dropping)
    assert command.main(["list"]) == (status or 143)
    assert capsys.readouterr().err == ("" if status else "interrupted\n")


@pytest.mark.parametrize("moment", ["prepare_streams", "error_line", "_end_with_threads"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_around_a_command_is_no_traceback(moment, number):
    code = f"""
import os, signal, sys
sys.argv[1:] = ["no-such-command"]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it
from adframe import __main__
from adframe.cli import main
plain = main.{moment}
def signalled(*given):
    os.kill(os.getpid(), {int(number)})
    return plain(*given)
main.{moment} = signalled
sys.exit(__main__.start())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == (2 if moment == "error_line" else -number), done.stderr
    assert done.stderr.count("\n") == (0 if moment == "prepare_streams" else 1)


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


def test_an_interrupt_that_a_plugin_raises_in_a_run_is_its_fault(toy_file, tmp_path, capsys):
    plugin = tmp_path / "rude.py"
    plugin.write_text(
        "from adframe import hookimpl\n\n@hookimpl\ndef adframe_epoch_end(run, epoch):\n"
        "    raise KeyboardInterrupt\n"
    )
    out = ["--out", str(tmp_path / "run"), "--plugin", str(plugin)]
    assert command.main(["run", str(toy_file), *out]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("adframe_epoch_end of plugin 'rude' raised KeyboardInterrupt")
