"""Sessions as their owners see them: made, found, listed, cancelled, forgotten."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.places import place_of
from gateway.adapters.sql.records import ask_json, event_of, session_of
from gateway.adapters.sql.tables import (
    idempotency_keys,
    session_events,
    session_items,
    sessions,
)
from gateway.adapters.sql.turns import Turn
from gateway.adapters.sql.whole import whole
from gateway.domain.sessions import Created, Cursor, Draft, Event, EventKind, RepeatKey, Session
from gateway.domain.sessions_lifecycle import OPEN, Move, State
from gateway.domain.sessions_queue import rank
from gateway.errors import Conflict
from gateway.ports import Clock


class SqlSessionBook:
    """Implements the SessionBook port."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @whole
    async def create(self, draft: Draft, repeat: RepeatKey | None = None) -> Created:
        """Write a session down, unless its request was made before."""
        async with self._database.writing() as connection:
            if repeat is not None:
                await self._database.lock(connection, f"{draft.owner} {repeat.key}")
                earlier = await self._earlier(connection, draft.owner, repeat)
                if earlier is not None:
                    return Created(earlier, is_repeat=True)
                await _keep(connection, draft, repeat)
            await _write(connection, draft)
        return Created(draft.session_id, is_repeat=False)

    @whole
    async def repeated(self, owner: str, repeat: RepeatKey) -> str | None:
        """The session that an earlier request with this key made; raises Conflict."""
        async with self._database.reading() as connection:
            return await self._earlier(connection, owner, repeat)

    @whole
    async def find(self, session_id: str, owner: str) -> Session | None:
        """An owner's session; nobody else's, and none that is over."""
        async with self._database.reading() as connection:
            mine = (sessions.c.id == session_id, sessions.c.owner == owner, *self._alive())
            return await _read(connection, *mine)

    @whole
    async def page(
        self, owner: str, limit: int, after: Cursor | None = None, state: State | None = None
    ) -> Sequence[Session]:
        """An owner's sessions, the newest first, from behind a cursor; without their places."""
        mine = select(sessions).where(sessions.c.owner == owner, *self._alive())
        if after is not None:
            at = tuple_(sessions.c.created_at, sessions.c.id)
            mine = mine.where(at < tuple_(after.created_at, after.session_id))
        if state is not None:
            mine = mine.where(sessions.c.state == state.value)
        newest = mine.order_by(sessions.c.created_at.desc(), sessions.c.id.desc()).limit(limit)
        async with self._database.reading() as connection:
            rows = (await connection.execute(newest)).all()
            items = await _items(connection, [row.id for row in rows])
        return [session_of(row, items[row.id]) for row in rows]

    @whole
    async def cancel(self, session_id: str, owner: str) -> bool | None:
        """End an open session; whether it was open, or None where there is none."""
        async with self._database.writing() as connection:
            turn = await Turn.take(connection, session_id, self._clock.now(), owner)
            if turn is None:
                return None
            was_open = await turn.end_all(Move.CANCEL)
            await turn.close()
        return was_open

    @whole
    async def forget(self, session_id: str, owner: str) -> Session | None:
        """End a session and hide it from everybody until it is erased; what it was."""
        async with self._database.writing() as connection:
            turn = await Turn.take(connection, session_id, self._clock.now(), owner)
            if turn is None:
                return None
            await turn.end_all(Move.CANCEL)
            turn.set(is_forgotten=True)
            await turn.close()
            return await _read(connection, sessions.c.id == session_id)

    @whole
    async def to_erase(self, limit: int) -> Sequence[Session]:
        """Sessions that are forgotten or over, and still have to be erased."""
        over = sessions.c.is_forgotten | (sessions.c.expires_at <= self._clock.now())
        async with self._database.reading() as connection:
            due = (await connection.execute(select(sessions.c.id).where(over).limit(limit))).all()
            found = [await _read(connection, sessions.c.id == row.id) for row in due]
        return [session for session in found if session is not None]

    @whole
    async def erase(self, session_id: str) -> None:
        """Drop a session's rows, after its objects."""
        async with self._database.writing() as connection:
            mine = idempotency_keys.c.session_id == session_id
            await connection.execute(delete(idempotency_keys).where(mine))
            await connection.execute(delete(sessions).where(sessions.c.id == session_id))

    @whole
    async def owner_of(self, session_id: str) -> str | None:
        """Whose a session is."""
        wanted = select(sessions.c.owner).where(sessions.c.id == session_id, *self._alive())
        async with self._database.reading() as connection:
            return (await connection.execute(wanted)).scalar_one_or_none()

    @whole
    async def events_since(
        self, session_id: str, owner: str, seq: int, limit: int
    ) -> Sequence[Event] | None:
        """What happened to an owner's session after its event `seq`; None where there is none."""
        mine = (sessions.c.id == session_id, sessions.c.owner == owner, *self._alive())
        news = (
            select(session_events)
            .where(session_events.c.session_id == session_id, session_events.c.seq > seq)
            .order_by(session_events.c.seq)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            if (await connection.execute(select(sessions.c.id).where(*mine))).one_or_none() is None:
                return None
            return [event_of(row) for row in await connection.execute(news)]

    @whole
    async def open_items(self) -> Mapping[State, int]:
        """How many items wait, and how many are being made."""
        items = session_items.c
        counted = (
            select(items.state, func.count()).where(items.state.in_(OPEN)).group_by(items.state)
        )
        async with self._database.reading() as connection:
            found = {State(state): n for state, n in await connection.execute(counted)}
        return {state: found.get(state, 0) for state in sorted(OPEN)}

    def _alive(self) -> tuple[ColumnElement[bool], ...]:
        return (~sessions.c.is_forgotten, sessions.c.expires_at > self._clock.now())

    async def _earlier(
        self, connection: AsyncConnection, owner: str, repeat: RepeatKey
    ) -> str | None:
        keys, now = idempotency_keys.c, self._clock.now()
        known = select(idempotency_keys).where(keys.owner == owner, keys.key == repeat.key)
        row = (await connection.execute(known)).one_or_none()
        if row is None or row.expires_at <= now:
            return None
        if row.body_hash != repeat.body_hash:
            raise Conflict("This Idempotency-Key was used for another request.")
        found: str = row.session_id
        return found


async def _read(connection: AsyncConnection, *which: ColumnElement[bool]) -> Session | None:
    row = (await connection.execute(select(sessions).where(*which))).one_or_none()
    if row is None:
        return None
    items = await _items(connection, [row.id])
    place = await place_of(connection, row) if State(row.state) in OPEN else None
    return session_of(row, items[row.id], place)


async def _items(
    connection: AsyncConnection, session_ids: Sequence[str]
) -> Mapping[str, list[Row[Any]]]:
    wanted = session_items.c.session_id.in_(session_ids)
    found: dict[str, list[Row[Any]]] = {session_id: [] for session_id in session_ids}
    ordered = select(session_items).where(wanted).order_by(session_items.c.position)
    for item in await connection.execute(ordered):
        found[item.session_id].append(item)
    return found


async def _keep(connection: AsyncConnection, draft: Draft, repeat: RepeatKey) -> None:
    """Remember a key, in the place of one that is over."""
    keys = idempotency_keys.c
    over = (keys.owner == draft.owner, keys.key == repeat.key)
    await connection.execute(delete(idempotency_keys).where(*over))
    await connection.execute(
        insert(idempotency_keys).values(
            owner=draft.owner,
            key=repeat.key,
            body_hash=repeat.body_hash,
            session_id=draft.session_id,
            expires_at=repeat.expires_at,
        )
    )


async def _write(connection: AsyncConnection, draft: Draft) -> None:
    state = State.CREATED.value
    await connection.execute(
        insert(sessions).values(
            id=draft.session_id,
            owner=draft.owner,
            kind=draft.kind.value,
            engine=draft.engine,
            state=state,
            request_id=draft.request_id,
            created_at=draft.created_at,
            expires_at=draft.expires_at,
            cancel_at=draft.cancel_at,
            last_event=1,
            is_forgotten=False,
        )
    )
    items = [_item(draft, position) for position in range(len(draft.asks))]
    await connection.execute(insert(session_items), items)
    made = {"kind": EventKind.STATE.value, "at": draft.created_at, "data": {"state": state}}
    first = insert(session_events).values(session_id=draft.session_id, seq=1, **made)
    await connection.execute(first)


def _item(draft: Draft, position: int) -> dict[str, Any]:
    return {
        "session_id": draft.session_id,
        "position": position,
        "owner": draft.owner,
        "engine": draft.engine,
        "state": State.CREATED.value,
        "rank": rank(draft.kind, draft.created_at, position),
        "attempt": 0,
        "tries": 0,
        "not_before": draft.created_at,
        "ask": ask_json(draft.asks[position]),
    }
