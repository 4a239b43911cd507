"""Faults by kind, spread over the time of a storm."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
from random import Random
from typing import Final

from benchmarks.sessions.site import Site
from tests.servers.fault_proxy import FaultProxy

_UNAVAILABLE: Final = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: 38\r\n\r\n<Error><Code>SlowDown</Code></Error>  "
)
# The last fault comes when so much of the work is done.
_UNTIL: Final = 0.9
_LOOK_S: Final = 0.1


class Fault(StrEnum):
    """What is done, and to whom."""

    GATEWAY = "gateway killed"
    RUNNER = "runner killed"
    TORCHSERVE = "TorchServe worker killed"
    POSTGRES = "Postgres killed and restarted"
    REDIS = "Redis killed and restarted"
    STORAGE = "storage fault"


@dataclass(frozen=True, slots=True)
class Weather:
    """How many faults of each kind, within so many seconds, or longer on a slow machine."""

    seconds: float
    faults: Mapping[Fault, int]

    def plan(self, chance: Random) -> Sequence[tuple[float, Fault]]:
        """Shares of the storm, and what happens then: each kind spread evenly, or nearly so."""
        moments = [
            ((number + chance.random()) / count, fault)
            for fault, count in self.faults.items()
            for number in range(count)
        ]
        return sorted(moments)


class Storm:
    """Does what is planned to a site; `done` counts it."""

    def __init__(self, site: Site, kill_worker: Callable[[], None]) -> None:
        self.done: Counter[Fault] = Counter()
        self._site = site
        self._fronts, self._runners = cycle(site.fronts), cycle(site.runners)
        self._kill_worker = kill_worker
        self._kinds = cycle(range(4))

    async def rage(self, weather: Weather, chance: Random, done: Callable[[], float]) -> float:
        """Let it happen while the work is done, of which `done` tells the share.

        Returns the loop's time at the last fault.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with asyncio.TaskGroup() as group:
            for moment, fault in weather.plan(chance):
                await asyncio.sleep(begun + moment * weather.seconds - loop.time())
                while done() < moment * _UNTIL:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(_LOOK_S)
                group.create_task(self._happen(fault))
        return loop.time()

    async def _happen(self, fault: Fault) -> None:
        backing = self._site.backing
        match fault:
            case Fault.GATEWAY:
                await asyncio.to_thread(next(self._fronts).restart)
            case Fault.RUNNER:
                await asyncio.to_thread(next(self._runners).restart)
            case Fault.TORCHSERVE:
                await asyncio.to_thread(self._kill_worker)
            case Fault.POSTGRES if backing.postgres is not None:
                await asyncio.to_thread(backing.postgres.restart)
            case Fault.REDIS if backing.redis is not None:
                await asyncio.to_thread(backing.redis.restart)
            case Fault.STORAGE if backing.storage is not None:
                await self._disturb(backing.storage)
            case _:
                return
        self.done[fault] += 1

    async def _disturb(self, line: FaultProxy) -> None:
        """One of what a line can do: a reset, a lost answer, a 503, a second of delay."""
        kind = next(self._kinds)
        if kind == 0:
            line.faults.reset_next += 1
        elif kind == 1:
            line.faults.lose_next += 1
        elif kind == 2:
            line.faults.answer_next.append(_UNAVAILABLE)
        else:
            line.faults.latency_s = 0.5
            await asyncio.sleep(1)
            line.faults.latency_s = 0.0
