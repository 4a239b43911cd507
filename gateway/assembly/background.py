"""Work that goes on beside the requests, from the gateway's start to its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog


async def every(
    interval_s: float, work: Callable[[], Awaitable[object]], *, wait_first: bool = False
) -> None:
    """Do the work again and again; a failure is logged and does not end it."""
    while True:
        if wait_first:
            await asyncio.sleep(interval_s)
        wait_first = True
        try:
            await work()
        except Exception:  # noqa: BLE001 - the next round may succeed
            structlog.get_logger(__name__).exception("background work failed")


@asynccontextmanager
async def background(*loops: Awaitable[None]) -> AsyncIterator[None]:
    """Keep loops going for as long as the block lasts, then cancel them and see them end."""
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
