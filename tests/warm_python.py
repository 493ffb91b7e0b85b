"""Starts ``adframe`` and ``python FILE`` in processes that have the big libraries imported already.

Importing torch and torchvision takes most of the time of a short command. A server imports them
once and forks for each command. It imports no file of adframe, so that each command does.

    python tests/warm_python.py SOCKET                      the server; prints "ready"
    python -I -S tests/warm_python.py SOCKET PROGRAM ARG... a command, with this process's files
"""

import importlib
import json
import os
import runpy
import signal
import socket
import sys

LIBRARIES = (
    "torch", "torch._dynamo", "torchvision", "sklearn.metrics", "pydantic", "pluggy", "rich.table",
    "ruamel.yaml", "PIL.Image", "safetensors.torch",
)  # fmt: skip


def call(path: str, words: list[str]) -> int:
    """Have a command run; returns its exit status."""
    if words[0] == "python" and (len(words) == 1 or words[1].startswith("-")):
        os.execv(sys.executable, [sys.executable, *words[1:]])
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(path)
        message = json.dumps([words, os.getcwd(), dict(os.environ)]).encode()
        socket.send_fds(server, [message], [0, 1, 2])
        return server.recv(1)[0]


def serve(path: str) -> None:
    """Fork for each command; returns never, except by the end of a command."""
    for library in LIBRARIES:
        importlib.import_module(library)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(path)
        server.listen()
        print("ready", flush=True)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
        while True:
            client, _ = server.accept()
            if os.fork() == 0:
                break
            client.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, files, _, _ = socket.recv_fds(client, 1 << 20, 3)
    command = os.fork()
    if command:
        _, status = os.waitpid(command, 0)
        client.send(bytes([os.waitstatus_to_exitcode(status) % 256]))
        os._exit(0)
    client.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    words, folder, environment = json.loads(message)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    start(words)


def start(words: list[str]) -> None:
    """Do what the command does."""
    sys.path.pop(0)  # the folder of this file
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    if words[0] == "adframe":
        sys.argv = words
        runpy.run_module("adframe", run_name="__main__")
    else:
        sys.argv = words[1:]
        sys.path.insert(0, os.path.dirname(os.path.abspath(words[1])))
        runpy.run_path(words[1], run_name="__main__")


if __name__ == "__main__":
    if sys.argv[2:]:
        sys.exit(call(sys.argv[1], sys.argv[2:]))
    serve(sys.argv[1])
