"""Attacks commands with bad ground: odd words, folders, run files, images, plugins, streams.

    python benchmarks/attack.py --cases 20000 --seed 0
    python benchmarks/attack.py --cases 20000 --seed 0 --user nobody  # by root
    python benchmarks/attack.py --only run_file --case 17              # shows one case

Each case (``attack_kinds.py``) draws files and the words of one command, and runs it in a new
process. A case fails if

- an exception reaches the user, or the status is not 0, 1 or 2,
- status 1 or 2 comes without a line on standard error, or with a line of over 2,000 characters,
- a control character of a drawn name reaches the output,
- a file outside the case's working folder changes,
- it takes over 10 s of a processor, over 60 s, or over 1 GiB more memory than an idle process.

A case is a function of kind, seed and number, so it can be run again. Prints each failure at once.
Prints how often each status occurred, the slowest case and the most memory, by kind; then the
failures by place.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import hashlib
import multiprocessing
import os
import pwd
import random
import re
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from functools import partial
from pathlib import Path

from attack_ground import Case, Ground
from attack_kinds import KINDS

SECONDS, WAITING, MEMORY = 10.0, 60.0, 1024.0  # limits of a case; the last in MiB
_RAW = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclasses.dataclass
class End:
    """How a case ended."""

    status: int
    seconds: float  # of a processor
    waited: float  # seconds
    memory: float  # MiB
    out: str
    err: str
    wrong: list[str] = dataclasses.field(default_factory=list)


def attack(case: Case, ground: Ground, user: str | None) -> End:
    """Run the command of a case in a forked process and judge how it ends."""
    before = _digests(ground.outside)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun = time.monotonic()
        child = os.fork()
        if not child:
            _command(case, user, out.fileno(), err.fileno())
        watch = os.pidfd_open(child)
        ended = select.select([watch], [], [], WAITING)[0]
        os.close(watch)
        if not ended:
            os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
        seconds = usage.ru_utime + usage.ru_stime
        waited = time.monotonic() - begun
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read(1_000_000).decode("utf-8", "surrogateescape"))
    end = End(os.waitstatus_to_exitcode(status), seconds, waited, usage.ru_maxrss / 1024, *texts)
    end.wrong = _judge(case, end)
    if _digests(ground.outside) != before:
        end.wrong.append("a file outside the working folder changed")
    return end


def _command(case: Case, user: str | None, out: int, err: int) -> None:
    """Become the command: streams, user, folder, environment; never returns."""
    status = 99
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out if case.stdout is None else os.open(case.stdout, os.O_WRONLY), 1)
        os.dup2(err, 2)
        for name in ("stdin", "stdout", "stderr"):
            number = ("stdin", "stdout", "stderr").index(name)
            if name in case.closed:
                setattr(sys, name, None)
                os.close(number)
            elif number:
                setattr(sys, name, open(number, "w", encoding=case.encoding, closefd=False))  # noqa: SIM115
        if user is not None:
            entry = pwd.getpwnam(user)
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
        os.chdir(case.folder)
        os.environ.update(case.environment)
        if case.prepare is not None:
            case.prepare()
        from adframe.cli.main import main

        signal.alarm(int(WAITING) + 30)
        status = main(case.words)
    except SystemExit as stopped:  # of argparse
        status = stopped.code if isinstance(stopped.code, int) else 0
    except BaseException:
        with contextlib.suppress(OSError):
            os.write(
                err, b"\nTraceback, escaped: " + traceback.format_exc().encode("utf-8", "replace")
            )
        status = 98
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(status)


def _judge(case: Case, end: End) -> list[str]:
    wrong = []
    if end.seconds > SECONDS:
        wrong.append(f"{end.seconds:.0f} s of a processor")
    if end.waited > WAITING:
        wrong.append("it does not end")
    if end.memory > IDLE + MEMORY:
        wrong.append(f"{end.memory - IDLE:.0f} MiB more than an idle process")
    if "Traceback" in end.err:
        where = re.findall(r'File "([^"]+)", line (\d+)', end.err)
        last = end.err.strip().splitlines()[-1][:200]
        wrong.append(f"traceback at {':'.join(where[-1]) if where else '?'}: {last}")
    elif end.status not in (0, 1, 2) and end.waited <= WAITING:
        wrong.append(f"status {end.status}")
    heard = "stderr" not in case.closed
    if end.status in (1, 2) and heard and not end.err.strip():
        wrong.append(f"status {end.status} without a word")
    if end.status in (1, 2) and any(len(line) > 2000 for line in end.err.splitlines()):
        wrong.append("a line of over 2,000 characters")
    rows = case.words[:1] == ["score"]  # a file of data, in which names keep their bytes
    if raw := _RAW.search(end.err if rows else end.out + end.err):
        wrong.append(f"raw control character {raw[0]!r}")
    if case.expect is not None and not wrong:
        try:
            case.expect(end)
        except AssertionError as error:
            wrong.append(f"wrong result: {error}")
    return wrong


def _digests(folder: Path) -> dict[str, str]:
    """What lies in a folder: kind, size, and digest of each regular file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        regular = path.is_file() and not path.is_symlink()
        text = hashlib.sha256(path.read_bytes()).hexdigest() if regular else ""
        found[str(path)] = f"{stat.st_mode:o} {stat.st_size if regular else 0} {text}"
    return found


def _idle() -> float:
    """MiB that a forked process occupies before it does anything."""
    child = os.fork()
    if not child:
        os._exit(0)
    return os.wait4(child, 0)[2].ru_maxrss / 1024


def main() -> int:
    """Print the outcomes. Returns 1 if a case failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=20_000, help="cases, over all kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--user", help="run the commands as this user; needs root")
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--jobs", type=int, default=1, help="processes that run cases")
    parser.add_argument("--case", type=int, help="run one case of --only, and show it")
    options = parser.parse_args()
    global IDLE
    with tempfile.TemporaryDirectory(prefix="attack") as work:
        ground = Ground(Path(work), options.user)  # imports what every command needs
        IDLE = _idle()
        if options.case is not None:
            kind = KINDS[options.only[0]]
            ground.claim()
            case = _drawn(options.only[0], ground, options.seed, options.case)
            print(case.describe())
            end = attack(case, ground, options.user)
            print(f"status {end.status}, {end.seconds:.1f} s, {end.memory:.0f} MiB", kind.__doc__)
            print(end.out, end.err, *end.wrong, sep="\n")
            return int(bool(end.wrong))
        return _all(options, ground)


IDLE = 0.0
GROUND: Ground  # of this process


def _drawn(kind: str, ground: Ground, seed: int, number: int) -> Case:
    ground.clear()
    drawn = random.Random(f"{kind} {seed} {number}")
    case = KINDS[kind](drawn, ground)
    ground.give()
    return case


def _claim(ground: Ground) -> None:
    global GROUND
    GROUND = ground
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that prints
    ground.claim()


def _one(options: argparse.Namespace, drawn: tuple[str, int]) -> tuple[str, int, End]:
    kind, number = drawn
    end = attack(_drawn(kind, GROUND, options.seed, number), GROUND, options.user)
    return kind, number, dataclasses.replace(end, out="", err="")


def _all(options: argparse.Namespace, ground: Ground) -> int:
    share = {kind: KINDS[kind].share for kind in options.only}  # type: ignore[attr-defined]
    total = sum(share.values())
    cases = [(kind, n) for kind in share for n in range(round(options.cases * share[kind] / total))]
    random.Random(options.seed).shuffle(cases)  # after an interrupt, a part of each kind was run
    ends: dict[str, list[End]] = {kind: [] for kind in share}
    failures: dict[str, list[int]] = {}
    stopped = ""
    gc.freeze()  # else every process of a case looks through all that was imported
    with multiprocessing.get_context("fork").Pool(options.jobs, _claim, (ground,)) as pool:
        try:
            for kind, number, end in pool.imap_unordered(partial(_one, options), cases):
                ends[kind].append(end)
                for wrong in end.wrong:
                    print(f"failed: --only {kind} --case {number}: {wrong!a}", flush=True)
                    failures.setdefault(f"{kind}: {wrong}", []).append(number)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the summary follows
            stopped = ", interrupted"
    for kind, found in ends.items():
        counts = Counter(end.status for end in found)
        statuses = ", ".join(f"{count} with {status}" for status, count in sorted(counts.items()))
        slowest = max((end.seconds for end in found), default=0)
        most = max((end.memory for end in found), default=IDLE) - IDLE
        print(f"{kind}: {statuses}; slowest {slowest:.1f} s, {most:.0f} MiB")
    for wrong, numbers in failures.items():
        shown = ", ".join(map(str, sorted(numbers)[:5])) + ", ..." * (len(numbers) > 5)
        print(f"FAILED {wrong!a} (cases {shown})")
    print(f"{sum(map(len, ends.values()))} cases, {len(failures)} kinds of failure{stopped}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
