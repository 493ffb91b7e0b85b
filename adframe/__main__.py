"""``python -m adframe``: the command line."""

import sys

from adframe.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
