"""Whoever is told of all sessions is told how one ended, though it is erased meanwhile."""

import json

import pytest

from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.eraser import SqlEraser
from gateway.adapters.sql.queue import SqlSessionQueue
from gateway.adapters.sql.webhook_book import SqlWebhookBook
from gateway.adapters.sql.webhook_outbox import SqlWebhookOutbox
from gateway.domain.audit import AuditEvent
from gateway.domain.webhooks import Endpoint, Errand, Secret
from tests.gateway.adapters.sql.drafts import DAY_S, ENGINES, OUTCOME, draft
from tests.gateway.adapters.sql.telling import up_to
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio

NEVER_TOLD = 60.0


class Told:
    """An owner with an endpoint, and sessions of his that each bring one of their own."""

    def __init__(self, database: Database, book: SqlSessionBook, clock: ManualClock) -> None:
        self.book, self.clock = book, clock
        self.hooks = SqlWebhookBook(database, clock)
        self.outbox = SqlWebhookOutbox(database, clock, NEVER_TOLD)
        self.rows = SqlEraser(database, clock, tells=True)

    async def session(self) -> str:
        """A session with an endpoint of its own."""
        made = await self.book.create(draft(self.clock.now()))
        await self._endpoint("ep_own", made.session_id)
        return made.session_id

    async def _endpoint(self, name: str, session_id: str | None = None) -> None:
        secrets = (Secret("whsec_1"),)
        told = Endpoint(name, "ann", f"https://example.com/{name}", secrets, (), session_id)
        await self.hooks.add(told, 9)

    async def erase(self, session_id: str) -> None:
        """Erase it, after whatever was written of it."""
        line = AuditEvent(session_id, 0, "erased", "")
        assert await self.rows.finish(session_id, lambda _: line)

    async def waiting(self) -> list[Errand]:
        return list(await self.outbox.take(up_to(100)))


@pytest.fixture
async def told(database: Database, book: SqlSessionBook, clock: ManualClock) -> Told:
    made = Told(database, book, clock)
    await made._endpoint("ep_all")
    return made


def said(errand: Errand) -> tuple[str, object]:
    body = json.loads(errand.body)
    return body["type"], body["data"]


async def test_a_session_that_expires_is_told_of_though_nobody_ended_it(
    told: Told, clock: ManualClock
) -> None:
    mine = await told.session()
    clock.time_s += DAY_S
    await told.erase(mine)
    (one,) = await told.waiting()
    assert one.endpoint_id == "ep_all"
    assert said(one) == ("session.expired", {"session_id": mine, "state": "expired"})


async def test_a_session_that_is_deleted_is_told_of(told: Told) -> None:
    mine = await told.session()
    await told.book.forget(mine, "ann")
    await told.erase(mine)
    (one,) = await told.waiting()
    assert said(one) == ("session.cancelled", {"session_id": mine, "state": "cancelled"})
    (shown,) = await told.hooks.deliveries("ann", "ep_all", 9)
    assert (shown.session_id, shown.kind) == (None, "session.cancelled")


async def test_what_was_not_delivered_yet_says_its_end_and_no_more(
    told: Told, queue: SqlSessionQueue
) -> None:
    mine = await told.session()
    claim = await queue.claim("one", ENGINES)
    assert claim is not None
    assert await queue.complete(claim, OUTCOME)
    await told.book.forget(mine, "ann")
    await told.erase(mine)
    (one,) = await told.waiting()
    assert said(one) == ("session.completed", {"session_id": mine, "state": "completed"})


async def test_where_nobody_delivers_nothing_is_queued(
    told: Told, database: Database, clock: ManualClock
) -> None:
    mine = await told.session()
    told.rows = SqlEraser(database, clock, tells=False)
    clock.time_s += DAY_S
    await told.erase(mine)
    assert await told.waiting() == []
