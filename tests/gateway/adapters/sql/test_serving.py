"""Items that others may make in the place of their engine, in both databases."""

from dataclasses import replace

import pytest

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.queue import SqlSessionQueue
from tests.gateway.adapters.sql.drafts import ENGINE, draft
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio


async def test_what_may_be_made_by_another_is_claimed_for_it_alone(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = draft(clock.now())
    asks = tuple(replace(ask, alternatives=("idm_vton", "other")) for ask in made.asks)
    await book.create(replace(made, asks=asks))
    assert await queue.claim("one", [], {}) is None
    assert await queue.claim("one", ["idm_vton"], {"another": ["idm_vton"]}) is None
    for stranger in ("vton", "idm-vton", "idmxvton", "%"):
        assert await queue.claim("one", [], {ENGINE: [stranger]}) is None
    claim = await queue.claim("one", ["idm_vton"], {ENGINE: ["geometric", "idm_vton"]})
    assert claim is not None
    assert (claim.engine, claim.ask.alternatives) == (ENGINE, ("idm_vton", "other"))


async def test_what_only_its_engine_honours_waits_for_it(
    book: SqlSessionBook, queue: SqlSessionQueue, clock: ManualClock
) -> None:
    made = await book.create(draft(clock.now()))
    assert made.session.items[0].ask.alternatives == ()
    assert await queue.claim("one", ["other"], {ENGINE: ["other"]}) is None
