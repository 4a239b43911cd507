"""Decodes pictures in a few threads; Pillow lets go of the interpreter while it decodes."""

import asyncio
import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from gateway.adapters.whole import whole
from gateway.domain.collage import SheetRules
from gateway.domain.collage_drawing import collage
from gateway.domain.images import ImageLimits, Picture, normalise, normalise_mask
from gateway.domain.palette import suggestions
from gateway.domain.uploads import Upload
from gateway.errors.kinds import Busy

T = TypeVar("T")

_M_MMAP_THRESHOLD: Final = -3  # malloc.h
_LARGE_BYTES: Final = 1 << 20


class ThreadedDecoder:
    """Implements the PictureDecoder port: `workers` at a time, `queue` may wait, others are Busy.

    `workers` 0 means one per core. Close it to end its threads.
    """

    def __init__(self, limits: ImageLimits, workers: int, queue: int) -> None:
        _return_large_buffers()
        count = workers or os.cpu_count() or 1
        self._limits = limits
        self._room = count + queue
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="decode")

    async def photo(self, upload: Upload, keep: Callable[[bytes], None] | None = None) -> Picture:
        """Normalise a photo, and keep its PNG, if so told, before anything else is heard."""
        if keep is None:
            return await self._run(lambda: normalise(upload, self._limits))
        return await self._kept(upload, keep)

    async def mask(self, upload: Upload, person: Picture) -> Picture:
        """Normalise a mask to the size of the person's picture."""
        return await self._run(lambda: normalise_mask(upload, person, self._limits))

    async def collage(
        self, pictures: Sequence[Picture], labels: Sequence[str], rules: SheetRules
    ) -> bytes:
        """Draw all pictures on one JPEG."""
        return await self._run(lambda: collage(pictures, labels, rules))

    async def suggestions(self, pictures: Sequence[Picture]) -> tuple[str, ...]:
        """Say what goes with the colours of pictures."""
        return await self._run(lambda: suggestions(pictures))

    def close(self) -> None:
        """End the threads; what waits is dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    @whole
    async def _kept(self, upload: Upload, keep: Callable[[bytes], None]) -> Picture:
        def work() -> Picture:
            picture = normalise(upload, self._limits)
            keep(picture.png)
            return picture

        return await self._run(work)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._room <= 0:
            raise Busy
        self._room -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._room += 1


def _return_large_buffers() -> None:
    """Have glibc map every large buffer by itself, so that a freed picture leaves the process.

    Left alone, glibc learns from the first large picture to keep such buffers for later.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
