"""Whatever step a gateway is killed at while it erases, the next run finishes it, once."""

import asyncio
from pathlib import Path

import pytest

from gateway.adapters.clock import SystemClock
from gateway.domain.receipts import ReceiptKey, is_genuine
from gateway.errors.kinds import NotFound
from tests.gateway.sessions.dying import LaterClock, die_at_every_step, killed
from tests.gateway.sessions.erasing_kills import delete_until_killed
from tests.gateway.sessions.workshop import Place, Sessions, opened

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PUBLIC = ReceiptKey(b"secret").public


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
    steps = await killed(delete_until_killed, place, whole, "whole", None)
    assert steps is not None
    names = [f"step-{number}" for number in range(steps)]
    async with opened(place, clock, names) as sessions:
        ids = await made(sessions, names)
    await die_at_every_step(delete_until_killed, place, ids, names)
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
