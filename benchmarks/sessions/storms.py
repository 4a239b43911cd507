"""Users order and collect while everything dies around them; what is left of it is counted."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import httpx

from benchmarks.sessions import site as sites
from benchmarks.sessions.customers import Customer, Ledger
from benchmarks.sessions.faults import Storm, Weather
from benchmarks.sessions.gateways import stand_in
from benchmarks.sessions.tally import Progress, Tally, tally

_LONGEST_S: Final = 90.0
_SUPERVISED_S: Final = 0.3
_AT_ONCE: Final = 8
_SEED: Final = 7
_ORDERED: Final = 0.85
_ENGINE: Final = "geometric"


@dataclass(frozen=True, slots=True)
class Plan:
    """Who orders how much, in what weather, of what deployment."""

    users: int
    sessions: int
    weather: Weather
    fronts: int = 2
    runners: int = 2
    takes_s: float = 0.15


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What was left; `ended_after_s` counts from the last fault, None where not all have ended."""

    tally: Tally
    faults: Mapping[str, int]
    ended_after_s: float | None
    retried: int
    repeated: int
    refused: int
    pictures: int
    uncollected: int
    first_refusals: tuple[str, ...]


class Worker:
    """What makes the pictures: where it is asked, and how it is killed."""

    def __init__(self, inference: str, management: str, kill: Callable[[], None]) -> None:
        self.urls: Final = (inference, management)
        self.kill: Final = kill


@asynccontextmanager
async def emulated(folder: Path, takes_s: float) -> AsyncIterator[Worker]:
    """A stand-in for TorchServe; a kill takes all of it along."""
    process = stand_in(folder / "torchserve.log", takes_s)
    try:
        await asyncio.to_thread(process.await_ready)
        yield Worker(process.url, process.url, process.restart)
    finally:
        process.kill()


def real(inference: str, management: str) -> Worker:
    """A TorchServe of this machine; a kill takes its worker, which it brings back by itself."""

    def kill() -> None:
        with httpx.Client(base_url=management, timeout=10) as client:
            (told,) = client.get(f"/models/{_ENGINE}").json()
        for worker in told["workers"]:
            if worker["pid"] > 0:
                os.kill(worker["pid"], signal.SIGKILL)

    return Worker(inference, management, kill)


async def storm(backing: sites.Backing, plan: Plan, worker: Worker, folder: Path) -> Aftermath:
    """Have users order throughout the weather, and count when it is over."""
    ledger = Ledger()
    async with AsyncExitStack() as stack:
        opened = sites.opened(backing, worker.urls, folder, plan.fronts, plan.runners)
        site = await stack.enter_async_context(opened)
        limits = httpx.Limits(max_connections=plan.users * 2)
        client = await stack.enter_async_context(
            httpx.AsyncClient(timeout=30, limits=limits, trust_env=False)
        )
        await stack.enter_async_context(_meanwhile(_supervise(site)))
        progress = Progress(backing.database_url)
        await stack.enter_async_context(_meanwhile(progress.watch()))
        raging = Storm(site, worker.kill)
        customers = [Customer(number, site.urls, ledger) for number in range(plan.users)]
        async with asyncio.TaskGroup() as group:
            rages = raging.rage(
                plan.weather, Random(_SEED), lambda: len(progress.ended) / plan.sessions
            )
            over = group.create_task(rages)
            for number, customer in enumerate(customers):
                group.create_task(_orders(customer, client, plan, number))
        have_ended = await progress.have_ended(ledger.accepted, _LONGEST_S)
        since_s = asyncio.get_running_loop().time() - over.result()
        counted = await tally(backing.database_url, ledger.accepted)
        await _collected(customers, client, ledger)
    return Aftermath(
        tally=counted,
        faults={fault.value: count for fault, count in raging.done.items()},
        ended_after_s=since_s if have_ended else None,
        retried=ledger.retried,
        repeated=ledger.repeated,
        refused=len(ledger.refused),
        pictures=ledger.pictures,
        uncollected=len(ledger.uncollected),
        first_refusals=tuple(ledger.refused[:3]),
    )


@asynccontextmanager
async def _meanwhile(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Let it go on until the end of the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _orders(customer: Customer, client: httpx.AsyncClient, plan: Plan, number: int) -> None:
    """Order a share of the sessions, spread over most of the storm."""
    loop, chance = asyncio.get_running_loop(), Random(100 + number)
    begun = loop.time()
    own = range(number, plan.sessions, plan.users)
    moments = sorted(chance.uniform(0, _ORDERED * plan.weather.seconds) for _ in own)
    for moment, order in zip(moments, own, strict=True):
        await asyncio.sleep(begun + moment - loop.time())
        await customer.order(client, order)


async def _collected(customers: list[Customer], client: httpx.AsyncClient, ledger: Ledger) -> None:
    known, room = {one.token: one for one in customers}, asyncio.Semaphore(_AT_ONCE)

    async def collect(session_id: str, token: str) -> None:
        async with room:
            await known[token].collect(client, session_id)

    await asyncio.gather(*(collect(*one) for one in ledger.accepted.items()))


async def _supervise(site: sites.Site) -> None:
    """Begin again whatever has ended: a gateway does not start while its database is away."""
    while True:
        for one in (*site.fronts, *site.runners):
            await asyncio.to_thread(one.revive)
        await asyncio.sleep(_SUPERVISED_S)
