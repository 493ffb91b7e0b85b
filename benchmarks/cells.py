"""Runs many small cells on an executor: the overhead of each, and what kills cost.

    python benchmarks/cells.py --cells 200 --on ray

First jobs that do nothing: the time from the first end to the last, by their number. Then a sweep
of cells without training. In the middle, SIGKILL ends one worker, and later the command and, with
Ray's own processes, all that it started. The same command is given again. A plugin notes each
start of a run: a cell that was done must have started once.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kill import toy

from adframe.jobs import Job
from adframe.jobs.executors import executor

PLUGIN = """
import os
from adframe import hookimpl

@hookimpl
def adframe_run_start(run):
    with open({log!r}, "a") as log:
        log.write(f"{{os.getpid()}} {{run.out}}\\n")
"""


@dataclass(frozen=True)
class Nothing(Job):
    """A job that does nothing."""

    def work(self) -> str:
        """Nothing."""
        return ""


def overhead(name: str, count: int) -> float:
    """Seconds for each of ``count`` jobs that do nothing, after the first."""
    ends = []
    for _, ended in executor(name).run([Nothing()] * (count + 1)):
        if ended is not None:
            assert ended.status == "done", ended
            ends.append(time.monotonic())
    return (ends[-1] - ends[0]) / count


def starts(log: Path) -> list[tuple[int, str]]:
    """Process and folder of each start of a run."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(int(pid), folder) for pid, _, folder in (line.partition(" ") for line in lines)]


def done(out: Path) -> set[str]:
    """The folders of cells that are done."""
    return {str(path.parent) for path in out.glob("*/*/*/result.json")}


def main() -> int:
    """Prints a line for each step; returns 1 if a cell that was done has run again."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--on", default="ray")
    options = parser.parse_args()
    each = overhead(options.on, options.cells)
    print(f"{options.cells} jobs that do nothing on {options.on}: {1000 * each:.1f} ms each after "
          "the first", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        config, log, out = toy(work), work / "starts", work / "sweep"
        (work / "note.py").write_text(PLUGIN.format(log=str(log)))
        words = [sys.executable, "-m", "adframe", "sweep", str(config), "--over", "train.epochs=0"]
        words += ["--seeds", str(options.cells), "--out", str(out), "--on", options.on]
        words += ["--plugin", str(work / "note.py"), "--set", "scorer.views=1"]
        start = time.monotonic()
        with open(work / "log", "wb") as output:
            process = subprocess.Popen(words, stdout=output, stderr=output, start_new_session=True)
            wait(process, out, options.cells // 4)
            while not (running := [each for each in starts(log) if each[1] not in done(out)]):
                time.sleep(0.02)
            pid, lost = running[-1]
            os.kill(pid, signal.SIGKILL)
            wait(process, out, options.cells // 2)
            process.kill()
            process.wait()
        before = done(out)
        time.sleep(5)  # what Ray has started ends
        code = subprocess.run(words, capture_output=True, check=False).returncode
        seconds = time.monotonic() - start
        number = Counter(folder for _, folder in starts(log))
        again = {folder for folder, count in number.items() if count > 1}
        twice = (again & before) - {lost}
        print(f"a killed worker: its cell started {number[lost]} times")
        print(f"a killed command: {len(before)} cells were done, {len(twice)} of them ran again; "
              f"{len(again - before - {lost})} others started twice; {len(done(out))} of "
              f"{options.cells} in the end, {seconds:.0f} s")  # fmt: skip
        return int(bool(code or twice or len(done(out)) != options.cells))


def wait(process: subprocess.Popen[bytes], out: Path, count: int) -> None:
    """Waits until this many cells are done and one more runs."""
    while len(done(out)) < count:
        if process.poll() is not None:
            raise SystemExit("the command ended too early")
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
