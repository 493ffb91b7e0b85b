"""Settings of the C memory allocator in the training process."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of malloc.h


def keep_freed_memory() -> None:
    """Let glibc reuse the large blocks that a training step frees.

    Otherwise each step requests them from the kernel again. On a CPU these page faults take a
    fifth of a step (``benchmarks/memory.py``). The setting holds for the whole process, so only
    the command line makes it. Without glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # TypeError: Windows
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
