"""What a worker holds, and how it gives back what it no longer needs.

An image pipeline frees hundreds of megabytes per request; glibc keeps them, once per thread
arena, unless it is told otherwise. Where the C library is another one, nothing is done.
"""

import ctypes
import sys
from dataclasses import dataclass
from typing import Final

import psutil

_M_ARENA_MAX: Final = -8  # glibc's malloc.h


@dataclass(frozen=True, slots=True)
class Memory:
    """What the worker holds: resident bytes, and on a GPU the allocated ones (0 without one)."""

    rss_bytes: int
    gpu_bytes: int


def measure() -> Memory:
    """Measure what this process holds now."""
    return Memory(rss_bytes=psutil.Process().memory_info().rss, gpu_bytes=_gpu_bytes())


def share_one_arena() -> None:
    """Let all threads allocate from one arena, so that what one frees another can use."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 1)


def release() -> None:
    """Give freed pages back to the system; takes milliseconds, so between requests."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def _gpu_bytes() -> int:
    # A CPU engine must not import torch to learn that there is no GPU.
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return 0
    return int(torch.cuda.memory_allocated())
