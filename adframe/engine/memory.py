"""Settings of the C memory allocator in the training process."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # of malloc.h
_LARGE_BLOCK, _BLOCKS = 32 << 20, 65536  # the largest threshold that glibc takes; its default

#: Pixels of the images in a batch from which large blocks are returned. A guess: 8 of 181x181.
LARGE_BATCH = 1 << 18

_state = {"kept": False}  # whether the process keeps all freed memory


def keep_freed_memory() -> None:
    """Let glibc reuse the large blocks that a training step frees.

    Otherwise each step requests them from the kernel again. On a CPU these page faults take a
    fifth of a step (``benchmarks/memory.py``). The setting holds for the whole process, so only
    the command line makes it. Without glibc nothing happens.
    """
    _state["kept"] = _set({_MMAP_MAX: 0, _TRIM_THRESHOLD: (1 << 31) - 1})


def return_large_blocks(pixels: int) -> None:
    """Undo ``keep_freed_memory`` for blocks of 32 MiB, if a batch has very many pixels.

    Freed blocks of many sizes are seldom reused whole, so large feature maps would take twice the
    memory.

    Args:
        pixels: of all images in a batch.
    """
    if _state["kept"] and pixels >= LARGE_BATCH:
        _state["kept"] = not _set({_MMAP_MAX: _BLOCKS, _MMAP_THRESHOLD: _LARGE_BLOCK})


def _set(options: Mapping[int, int]) -> bool:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # TypeError: Windows
        return False
    for name, value in options.items():
        mallopt(name, value)
    return True
