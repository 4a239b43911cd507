import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from threading import Event

import pytest

from gateway.adapters.lookups import Lookups

pytestmark = pytest.mark.anyio


class SlowNames:
    """A name server that answers when it is told to, or late, and one address twice."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = Event()

    def __call__(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        self.answers.wait(120)
        return ["192.0.2.1", "2001:db8::1", "192.0.2.1"]


@pytest.fixture
def names() -> Iterator[SlowNames]:
    names = SlowNames()
    yield names
    names.answers.set()


async def given_up(task: "asyncio.Task[list[str]]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_every_address_is_told_once(names: SlowNames) -> None:
    names.answers.set()
    with closing(Lookups(1, names)) as lookups:
        assert await lookups("hooks.example", 443) == ["192.0.2.1", "2001:db8::1"]


async def test_the_machines_own_names_are_looked_up() -> None:
    with closing(Lookups(1)) as lookups:
        assert set(await lookups("localhost", 80)) <= {"127.0.0.1", "::1"}
        assert await lookups("127.0.0.1", 80) == ["127.0.0.1"]


async def test_slow_names_take_nobody_elses_threads(names: SlowNames) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    with closing(Lookups(2, names)) as lookups:
        async with asyncio.timeout(60):
            slow = [asyncio.create_task(lookups(f"{n}.example", 443)) for n in range(8)]
            await asyncio.to_thread(lambda: None)  # all have been asked for
            assert await asyncio.to_thread(lambda: "at once") == "at once"
            names.answers.set()
            await asyncio.gather(*slow)


async def test_what_was_given_up_before_its_turn_is_not_looked_up(names: SlowNames) -> None:
    with closing(Lookups(1, names)) as lookups:
        async with asyncio.timeout(60):
            first, second, third = (
                asyncio.create_task(lookups(f"{n}.example", 443))
                for n in ("first", "second", "third")
            )
            await asyncio.to_thread(lambda: None)  # all have been asked for
            await given_up(second)
            names.answers.set()
            await asyncio.gather(first, third)
    assert names.asked == ["first.example", "third.example"]


async def test_closing_waits_for_no_name_server(names: SlowNames) -> None:
    async with asyncio.timeout(60):
        with closing(Lookups(1, names)) as lookups:
            slow = asyncio.create_task(lookups("slow.example", 443))
            await asyncio.to_thread(lambda: None)
        assert not names.answers.is_set()
    await given_up(slow)
