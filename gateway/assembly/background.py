"""Work that goes on beside the requests, from the gateway's start to its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

_PAUSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Loop:
    """Work without an end; `name` stands in the log as the `endpoint` of all that it writes."""

    name: str
    run: Callable[[], Awaitable[None]]


def every(
    name: str, interval_s: float, work: Callable[[], Awaitable[object]], *, wait_first: bool = False
) -> Loop:
    """Do the work again and again; a failure is logged and does not end it."""
    return Loop(name, partial(_again, interval_s, work, wait_first=wait_first))


@asynccontextmanager
async def background(*loops: Loop) -> AsyncIterator[None]:
    """Keep loops going for as long as the block lasts, then cancel them and see them end.

    One that fails in spite of itself is logged, and begun anew after a pause.
    """
    tasks = [asyncio.create_task(_kept_going(loop), name=loop.name) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _again(
    interval_s: float, work: Callable[[], Awaitable[object]], *, wait_first: bool
) -> None:
    while True:
        if wait_first:
            await asyncio.sleep(interval_s)
        wait_first = True
        try:
            await work()
        except Exception:  # noqa: BLE001 - the next round may succeed
            structlog.get_logger(__name__).exception("background work failed")


async def _kept_going(loop: Loop) -> None:
    structlog.contextvars.bind_contextvars(endpoint=loop.name)
    while True:
        try:
            await loop.run()
        except Exception:  # noqa: BLE001 - nobody else would begin it again
            structlog.get_logger(__name__).exception("background work is begun anew")
        await asyncio.sleep(_PAUSE_S)
