"""Whatever step a gateway is killed at while it erases, the next run finishes it, once."""

import asyncio
import signal
from pathlib import Path

import pytest

from gateway.adapters.clock import SystemClock
from gateway.domain.receipts import ReceiptKey, is_genuine
from gateway.errors.kinds import NotFound
from tests.gateway.sessions.erasing_kills import delete_until_killed
from tests.gateway.sessions.test_kills import AT_ONCE, FORKS, LaterClock
from tests.gateway.sessions.workshop import Place, Sessions, opened

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PUBLIC = ReceiptKey(b"secret").public


async def killed(place: Place, session_id: str, engine: str, fatal: int | None) -> int | None:
    """Delete a session in a process that dies at a step; the steps it took if it did not."""
    ours, theirs = FORKS.Pipe(duplex=False)
    process = FORKS.Process(
        target=delete_until_killed, args=(place, session_id, engine, fatal, theirs)
    )
    await asyncio.to_thread(process.start)
    theirs.close()
    await asyncio.to_thread(process.join, 60)
    code = process.exitcode
    process.close()
    assert code in {0, -signal.SIGKILL}
    return ours.recv() if code == 0 else None


async def made(sessions: Sessions, names: list[str]) -> list[str]:
    """Sessions of these engines that have ended well."""
    now = SystemClock().now()
    ids = [await sessions.accept(name, now) for name in names]
    async with sessions.running():
        for name, session_id in zip(names, ids, strict=True):
            await sessions.service.wait(session_id, name, 60)
    return ids


async def test_killed_at_any_step_the_next_run_finishes_and_writes_one_receipt(
    database_url: str, tmp_path: Path
) -> None:
    place, clock = Place(database_url, f"file://{tmp_path}/objects"), SystemClock()
    async with opened(place, clock, ["whole"]) as sessions:
        (whole,) = await made(sessions, ["whole"])
    steps = await killed(place, whole, "whole", None)
    assert steps is not None
    names = [f"step-{number}" for number in range(steps)]
    async with opened(place, clock, names) as sessions:
        ids = await made(sessions, names)
    room = asyncio.Semaphore(AT_ONCE)

    async def dies(number: int) -> bool:
        async with room:
            return await killed(place, ids[number], names[number], number) is None

    deaths = sum(await asyncio.gather(*(dies(number) for number in range(steps))))
    assert deaths > steps / 2
    async with (
        opened(place, LaterClock(), names) as one,
        opened(place, LaterClock(), names) as another,
    ):
        await asyncio.gather(one.service.erase_due(), another.service.erase_due())
        for name, session_id in zip(names, ids, strict=True):
            if await one.book.find(session_id, name) is not None:
                await one.service.delete(session_id, name)  # killed before it was hidden
            receipt = await one.service.receipt(session_id, name)
            assert is_genuine(receipt, PUBLIC)
            erased = receipt["erased"]
            assert isinstance(erased, dict)
            assert (erased["photos"], erased["results"], erased["items"]) == (2, 1, 1)
            with pytest.raises(NotFound):
                await one.service.receipt(session_id, "somebody else")
        assert [key async for key in one.store.keys("")] == []
        assert await one.book.to_erase(10) == []
