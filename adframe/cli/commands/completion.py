"""``adframe completion``: shell code that completes commands, options and names."""

from __future__ import annotations

import argparse

summary = "print the code that lets a shell complete commands"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare SHELL."""
    parser.add_argument("shell", choices=["bash", "zsh", "fish"], metavar="SHELL",
                        help="bash, zsh or fish")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print the completion code of a shell."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["adframe"], shell=arguments.shell))
    return 0
