"""``python -m adframe``, and the script ``adframe``: the command line as a process."""

import signal
import sys


def start() -> int:
    """Run the command of this process.

    Before and after the command, Ctrl-C ends the process without a traceback, as SIGTERM does.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from adframe.cli.main import main

    return main()


if __name__ == "__main__":
    sys.exit(start())
