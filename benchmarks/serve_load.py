"""Loads the service of examples/serve for a while, with bad requests among the good ones.

    python benchmarks/serve_load.py [--minutes 30]

Starts it on loopback with an untrained quickstart, measures its capacity with eight clients, then
sends 80 % of it at random times. One request in twenty is slow, oversized, broken or hostile.
Prints median and p99 of the good ones, what every kind was answered, and the memory of the service
over time. Then ends it with SIGKILL, starts it again, and compares the time until it answers with
the time of its first start.
"""

from __future__ import annotations

import argparse
import http.client
import io
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

import adframe

SERVE = Path(__file__).parents[1] / "examples" / "serve" / "serve.py"
PATH = "/models/m/score"
SHARE, BAD = 0.8, 0.05  # of the capacity; of the requests
CLIENTS = 8


def main() -> None:
    """Measure, load, kill, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        settings = ["train.epochs=0", "scorer=knn", "decision={false_alarms: 0.1}"]
        adframe.run(adframe.load_config("quickstart", settings), run)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        service, first = started(run, port)
        try:
            capacity = measured(port)
            print(f"capacity: {capacity:.0f} images a second with {CLIENTS} clients", flush=True)
            load(service.pid, port, SHARE * capacity, 60 * arguments.minutes)
            service.send_signal(signal.SIGKILL)
            service.wait()
            service, again = started(run, port)
            print(f"start: {first:.1f} s; after SIGKILL: {again:.1f} s, {again / first:.2f} of it")
        finally:
            service.kill()
            service.wait()


def started(run: Path, port: int) -> tuple[subprocess.Popen[bytes], float]:
    """The service, and the seconds until it gave its first score."""
    start = time.monotonic()
    command = [sys.executable, str(SERVE), "--model", f"m={run}", "--port", str(port)]
    service = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while ask(port, png(0)) != 200:
        if service.poll() is not None:
            raise RuntimeError("the service ended")
        time.sleep(0.05)
    return service, time.monotonic() - start


def png(seed: int) -> bytes:
    """An image file of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 255, (25, 25, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def ask(port: int, body: bytes, path: str = PATH, timeout: float = 30.0) -> int:
    """The status of a request; 0 without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def measured(port: int, seconds: float = 8.0) -> float:
    """Images that are scored in a second with ``CLIENTS`` clients, which send one after another."""
    end = time.monotonic() + seconds

    def client(number: int) -> int:
        done = 0
        while time.monotonic() < end:
            done += ask(port, png(number)) == 200
        return done

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(client, range(CLIENTS))) / seconds


def slow(port: int) -> int:
    """A body that stops half-way for longer than the service waits; its status."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        wire.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\nx".encode())
        try:
            found = wire.recv(64)
        except OSError:
            return 0
    return int(found.split()[1]) if found.startswith(b"HTTP/1.1 ") else 0


def bomb() -> bytes:
    """A small file of very many pixels."""
    stream = io.BytesIO()
    Image.new("1", (9000, 9000)).save(stream, "PNG")
    return stream.getvalue()


def bad(port: int, kind: str, bodies: dict[str, bytes]) -> int:
    """Send one bad request; its status."""
    if kind == "slow":
        return slow(port)
    return ask(port, bodies[kind], "/models/../x/score" if kind == "hostile path" else PATH)


def load(pid: int, port: int, rate: float, seconds: float) -> None:
    """Send requests at random times, at a mean rate, and print what came of them."""
    bodies = {
        "oversized": bytes(21_000_000), "broken": png(0)[:-900], "no image": b"\x80\x04pickle",
        "bomb": bomb(), "hostile path": png(0), "slow": b"",
    }  # fmt: skip
    draw, images = random.Random(0), [png(seed) for seed in range(64)]
    spent: list[float] = []
    statuses: dict[str, Counter[int]] = {"good": Counter(), **{kind: Counter() for kind in bodies}}
    lock, memory = threading.Lock(), [resident(pid)]

    def one(kind: str, planned: float) -> None:
        good = kind == "good"
        status = ask(port, images[hash(planned) % 64]) if good else bad(port, kind, bodies)
        with lock:
            statuses[kind][status] += 1
            if good:
                spent.append(time.monotonic() - planned)

    start = time.monotonic()
    planned, tenth = start, start + seconds / 10
    with ThreadPoolExecutor(64) as pool:
        while planned < start + seconds:
            planned += draw.expovariate(rate)
            time.sleep(max(0.0, planned - time.monotonic()))
            kind = draw.choice(list(bodies)) if draw.random() < BAD else "good"
            pool.submit(one, kind, planned)
            if time.monotonic() > tenth:
                memory.append(resident(pid))
                tenth += seconds / 10
    memory.append(resident(pid))
    median, high = np.percentile(spent, [50, 99])
    print(f"load: {len(spent) / seconds:.0f} good images a second for {seconds / 60:.1f} minutes")
    print(f"median {1000 * median:.0f} ms, p99 {1000 * high:.0f} ms: {high / median:.1f} times")
    for kind, counted in statuses.items():
        print(f"  {kind}: " + ", ".join(f"{s}: {n}" for s, n in sorted(counted.items())))
    print("memory in MiB: " + " ".join(f"{value:.0f}" for value in memory), flush=True)


def resident(pid: int) -> float:
    """Resident memory of a process in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
