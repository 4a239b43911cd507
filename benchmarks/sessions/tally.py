"""What became of every session, read from the database itself."""

import asyncio
import json
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.domain.sessions_lifecycle import ENDED

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_LOOK_S: Final = 0.25
_STATES: Final = text("SELECT id, state FROM sessions")
_ITEMS: Final = text("SELECT session_id, state, attempt FROM session_items")
_EVENTS: Final = text("SELECT session_id, seq, kind, data FROM session_events ORDER BY seq")


@dataclass(frozen=True, slots=True)
class Tally:
    """Sessions, counted.

    lost: accepted, and not there or not ended. doubled: there and nobody's, or ended more than
    once, as a whole or in one of its items. unnumbered: with a gap between its events.
    """

    accepted: int
    ended: int
    lost: int
    doubled: int
    unnumbered: int
    states: Mapping[str, int]
    begun_again: int


class Progress:
    """How many sessions have ended, looked up all the while; a database that is away is waited for.

    It is looked at without a gateway, which may be dead.
    """

    def __init__(self, database_url: str) -> None:
        self.ended: frozenset[str] = frozenset()
        self._engine = _engine(database_url)

    async def watch(self) -> None:
        """Look, until cancelled."""
        try:
            while True:
                with suppress(SQLAlchemyError, OSError):
                    await self._look()
                await asyncio.sleep(_LOOK_S)
        finally:
            await self._engine.dispose()

    async def have_ended(self, accepted: Collection[str], longest_s: float) -> bool:
        """Wait until all of these have ended; whether they have."""
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                while not self.ended.issuperset(accepted):  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_S / 2)
                return True
        return False

    async def _look(self) -> None:
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_STATES)).all()
        self.ended = frozenset(row.id for row in rows if row.state in ENDED)


async def tally(database_url: str, accepted: Collection[str]) -> Tally:
    """Count what became of these sessions, and of whatever else there is."""
    engine = _engine(database_url)
    async with engine.connect() as connection:
        states = {row.id: row.state for row in await connection.execute(_STATES)}
        items = (await connection.execute(_ITEMS)).all()
        events = (await connection.execute(_EVENTS)).all()
    await engine.dispose()
    known = set(accepted)
    ended = {name for name in known if states.get(name) in ENDED}
    ends, numbers = _ends(events), Counter(event.session_id for event in events)
    last = {event.session_id: event.seq for event in events}
    twice = {name for (name, _), count in ends.items() if count > 1}
    return Tally(
        accepted=len(known),
        ended=len(ended),
        lost=len(known - ended),
        doubled=len(twice | (states.keys() - known)),
        unnumbered=sum(last[name] != count for name, count in numbers.items()),
        states=dict(Counter(states.values())),
        begun_again=sum(max(item.attempt - 1, 0) for item in items),
    )


def _ends(events: Collection[Any]) -> Counter[tuple[str, object]]:
    """How often each session has ended, and each of its items."""
    ends: Counter[tuple[str, object]] = Counter()
    for event in events:
        told = _read(event.data)
        if event.kind in {"state", "item"} and told["state"] in ENDED:
            ends[event.session_id, told.get("item")] += 1
    return ends


def _read(data: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as the driver gives a document
    found: Mapping[str, Any] = json.loads(data) if isinstance(data, str) else data
    return found


def _engine(url: str) -> AsyncEngine:
    kind, rest = url.split(":", 1)
    return create_async_engine(f"{_DRIVERS[kind]}:{rest}")
