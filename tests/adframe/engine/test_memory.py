"""What the C memory allocator keeps."""

import platform
import subprocess
import sys

import pytest

LEFT = """
import ctypes
from adframe.engine.memory import LARGE_BATCH, keep_freed_memory, return_large_blocks

def resident():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) >> 10

keep_freed_memory()
return_large_blocks(LARGE_BATCH - {fewer})
libc = ctypes.CDLL(None)
libc.malloc.restype, before = ctypes.c_void_p, resident()
large = libc.malloc(ctypes.c_size_t(64 << 20))
ctypes.memset(large, 1, 64 << 20)
libc.free(ctypes.c_void_p(large))
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only of glibc")
@pytest.mark.parametrize(("fewer", "most", "least"), [(0, 8, 0), (1, 80, 48)])
def test_large_blocks_are_returned_only_if_a_batch_has_many_pixels(fewer, most, least):
    command = [sys.executable, "-c", LEFT.format(fewer=fewer)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert least <= int(done.stdout) <= most  # MiB of 64
