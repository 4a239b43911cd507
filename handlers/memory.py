"""What a worker holds, and how it gives back what it no longer needs.

An image pipeline frees hundreds of megabytes per request; glibc keeps them, once per thread
arena, unless it is told otherwise. Where the C library is another one, nothing is done. torch is
asked where the engine has imported it: a CPU engine need not import it to learn there is no GPU.
"""

import ctypes
import gc
import sys
from dataclasses import dataclass
from typing import Any, Final

import psutil

_M_ARENA_MAX: Final = -8  # glibc's malloc.h


@dataclass(frozen=True, slots=True)
class Memory:
    """What the worker holds: resident bytes, and on a GPU the allocated ones (0 without one)."""

    rss_bytes: int
    gpu_bytes: int


@dataclass(frozen=True, slots=True)
class GpuUse:
    """Bytes allocated on the GPU before a request, at most during it, and after it; 0 without."""

    before_bytes: int
    peak_bytes: int
    after_bytes: int


class GpuWatch:
    """Watches one request: it begins when this is made."""

    def __init__(self) -> None:
        self._cuda = _cuda()
        if self._cuda:
            self._cuda.reset_peak_memory_stats()
        self._before_bytes = _gpu_bytes()

    def read(self) -> GpuUse:
        """Give what the request has used until now."""
        peak_bytes = int(self._cuda.max_memory_allocated()) if self._cuda else 0
        return GpuUse(self._before_bytes, peak_bytes, _gpu_bytes())


def measure() -> Memory:
    """Measure what this process holds now."""
    return Memory(rss_bytes=psutil.Process().memory_info().rss, gpu_bytes=_gpu_bytes())


def host_bytes() -> int:
    """Give the memory of this machine."""
    return int(psutil.virtual_memory().total)


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


def recover() -> None:
    """Give back everything that nobody holds, on the GPU too: after running out, or unloading."""
    gc.collect()
    if cuda := _cuda():
        cuda.empty_cache()
    release()


def ran_out(caught: BaseException) -> bool:
    """Whether an error says that there was no memory left, on the host or on a device."""
    torch = sys.modules.get("torch")
    kinds = (MemoryError,) if torch is None else (MemoryError, torch.OutOfMemoryError)
    return isinstance(caught, kinds) or "out of memory" in str(caught).lower()


def _gpu_bytes() -> int:
    cuda = _cuda()
    return int(cuda.memory_allocated()) if cuda else 0


def _cuda() -> Any:  # noqa: ANN401  torch's module, which is not imported for its type alone
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() else None
