"""Endpoints of webhooks, and events that they are told of."""

from collections.abc import Mapping

from pydantic import JsonValue

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.webhook_outbox import enqueue
from gateway.domain.webhooks import Endpoint, Secret, Shares
from tests.gateway.running import ManualClock


def endpoint(
    name: str = "ep_1", owner: str = "ann", session_id: str | None = None, kinds: str = ""
) -> Endpoint:
    url = f"https://example.com/{name}"
    told = tuple(kinds.split())
    return Endpoint(name, owner, url, (Secret("whsec_1"),), told, session_id)


def up_to(most: int) -> Shares:
    """So many messages, whosever they are."""
    return Shares(at_once=most, per_owner=most, per_endpoint=most)


class Teller:
    """Tells of events, each in a transaction of its own."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock = database, clock

    async def __call__(
        self,
        kind: str = "session.completed",
        owner: str = "ann",
        session_id: str | None = None,
        data: Mapping[str, JsonValue] | None = None,
    ) -> int:
        told, now = data or {}, self.clock.now()
        return await self.database.write(lambda to: enqueue(to, owner, session_id, kind, told, now))
