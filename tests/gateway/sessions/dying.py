"""Has processes die at every step of some work, several at once."""

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Final

from gateway.adapters.clock import SystemClock
from tests.gateway.sessions.workshop import LEASE_S, Place

Work = Callable[[Place, str, str, int | None, Connection], None]
"""What a process does to one session of one engine, to die at a step; it tells the steps."""

_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "alembic.config",
        "alembic.migration",
        "alembic.operations",
        "alembic.script",
        "sqlalchemy.dialects.postgresql.asyncpg",
        "sqlalchemy.dialects.sqlite.aiosqlite",
        "tests.gateway.sessions.kills",
    ]
)
_AT_ONCE: Final = 4
_LONGEST_S: Final = 120.0


@dataclass
class LaterClock:
    """The machine's clock, after every lease of before is over."""

    def now(self) -> float:
        return SystemClock().now() + LEASE_S + 1

    def monotonic(self) -> float:
        return SystemClock().monotonic()


async def killed(
    work: Work, place: Place, session_id: str, engine: str, fatal: int | None
) -> int | None:
    """Work in a process that dies at a step; the steps it took if it did not."""
    ours, theirs = _FORKS.Pipe(duplex=False)
    process = _FORKS.Process(target=work, args=(place, session_id, engine, fatal, theirs))
    with ours:
        with theirs:
            process.start()
        code = await _exit_code(process)
        assert code in {0, -signal.SIGKILL}, f"the process ended with {code}"
        return ours.recv() if code == 0 else None


async def _exit_code(process: ForkServerProcess) -> int | None:
    """How a process ended.

    Whoever starts a process looks after all others, and an exit code can be read once: of two
    threads that read it at once, one finds 255. So the loop's thread alone starts and reads.
    """
    is_over = bool(await asyncio.to_thread(wait, [process.sentinel], _LONGEST_S))
    if not is_over:
        process.kill()
    process.join()
    code = process.exitcode
    process.close()
    assert is_over, f"the process was still running after {_LONGEST_S:.0f} s"
    return code


async def die_at_every_step(
    work: Work, place: Place, ids: Sequence[str], engines: Sequence[str]
) -> None:
    """Work on the n-th session until its n-th step."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def dies(step: int) -> bool:
        async with room:
            return await killed(work, place, ids[step], engines[step], step) is None

    deaths = sum(await asyncio.gather(*(dies(step) for step in range(len(ids)))))
    assert deaths > len(ids) / 2
