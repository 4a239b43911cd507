"""Sessions as their owners see them: made, found, listed, cancelled, forgotten."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
)

from gateway.adapters.sql.database import Database
from gateway.adapters.sql.drafts import write
from gateway.adapters.sql.places import place_of
from gateway.adapters.sql.records import ITEM, event_of, session_of, sessions_of
from gateway.adapters.sql.tables import (
    idempotency_keys,
    session_events,
    session_items,
    sessions,
)
from gateway.adapters.sql.turns import Turns
from gateway.domain.sessions import (
    Created,
    Cursor,
    Draft,
    History,
    RepeatKey,
    Session,
)
from gateway.domain.sessions_lifecycle import OPEN, Move, State
from gateway.errors.kinds import Conflict
from gateway.errors.limits import SessionsFull
from gateway.ports.clock import Clock


class SqlSessionBook:
    """Implements the SessionBook port; `tells` whether endpoints of webhooks are told."""

    def __init__(self, database: Database, clock: Clock, *, tells: bool = True) -> None:
        self._database = database
        self._clock = clock
        self._turns = Turns(tells)

    async def create(self, draft: Draft, repeat: RepeatKey | None = None) -> Created:
        """Write a session down, unless its request was made before."""
        return await self._database.write(partial(self._create, draft, repeat))

    async def repeated(self, owner: str, repeat: RepeatKey) -> str | None:
        """The session that an earlier request with this key made; raises Conflict."""
        return await self._database.read(partial(self._earlier, owner, repeat))

    async def find(self, session_id: str, owner: str) -> Session | None:
        """An owner's session; nobody else's, and none that is over."""
        mine = {"id": session_id, "owner": owner, "now": self._clock.now()}
        return await self._database.glance(partial(_find, mine))

    async def page(
        self, owner: str, limit: int, after: Cursor | None = None, state: State | None = None
    ) -> Sequence[Session]:
        """An owner's sessions, the newest first, from behind a cursor; without their places."""
        mine = select(sessions.c.id).where(sessions.c.owner == owner, *self._alive())
        if after is not None:
            at = tuple_(sessions.c.created_at, sessions.c.id)
            mine = mine.where(at < tuple_(after.created_at, after.session_id))
        if state is not None:
            mine = mine.where(sessions.c.state == state.value)
        newest = mine.order_by(sessions.c.created_at.desc(), sessions.c.id.desc()).limit(limit)
        order = (sessions.c.created_at.desc(), sessions.c.id.desc(), session_items.c.position)
        wanted = _WHOLE.where(sessions.c.id.in_(newest)).order_by(*order)
        return await self._database.read(partial(_all, wanted))

    async def cancel(self, session_id: str, owner: str) -> bool | None:
        """End an open session; whether it was open, or None where there is none."""
        return await self._database.write(partial(self._cancel, session_id, owner))

    async def forget(self, session_id: str, owner: str) -> Session | None:
        """End a session and hide it from everybody until it is erased; what it was."""
        return await self._database.write(partial(self._forget, session_id, owner))

    async def to_erase(self, limit: int, after: str = "") -> Sequence[Session]:
        """The first sessions behind an id that are forgotten or over, still to be erased, by id."""
        forgotten = select(sessions.c.id).where(sessions.c.is_forgotten)
        over = select(sessions.c.id).where(sessions.c.expires_at <= self._clock.now())
        # Each by its own index: with `or`, a database goes through all ids in their order.
        due = forgotten.union(over).subquery()
        some = select(due.c.id).where(due.c.id > after).order_by(due.c.id).limit(limit)
        wanted = _WHOLE.where(sessions.c.id.in_(some)).order_by(*_BY_ID)
        return await self._database.read(partial(_all, wanted))

    async def owner_of(self, session_id: str) -> str | None:
        """Whose a session is."""
        told = {"id": session_id, "now": self._clock.now()}
        return await self._database.glance(partial(_owner, told))

    async def history(self, session_id: str, owner: str, seq: int, limit: int) -> History | None:
        """What happened to an owner's session after its event `seq`; None where there is none."""
        mine = {"id": session_id, "owner": owner, "now": self._clock.now()}
        return await self._database.glance(partial(_history, mine | {"seq": seq, "most": limit}))

    async def open_items(self) -> Mapping[State, int]:
        """How many items wait, and how many are being made."""
        items = session_items.c
        counted = (
            select(items.state, func.count()).where(items.state.in_(OPEN)).group_by(items.state)
        )

        def look(connection: Connection) -> Mapping[State, int]:
            return {State(state): n for state, n in connection.execute(counted)}

        found = await self._database.read(look)
        return {state: found.get(state, 0) for state in sorted(OPEN)}

    def _alive(self) -> tuple[ColumnElement[bool], ...]:
        return (~sessions.c.is_forgotten, sessions.c.expires_at > self._clock.now())

    def _cancel(self, session_id: str, owner: str, connection: Connection) -> bool | None:
        turn = self._turns.take(connection, session_id, self._clock.now(), owner)
        if turn is None:
            return None
        was_open = turn.end_all(Move.CANCEL)
        turn.close()
        return was_open

    def _forget(self, session_id: str, owner: str, connection: Connection) -> Session | None:
        turn = self._turns.take(connection, session_id, self._clock.now(), owner)
        if turn is None:
            return None
        turn.end_all(Move.CANCEL)
        turn.set(is_forgotten=True)
        turn.close()
        return _whole(session_id, connection)

    def _create(self, draft: Draft, repeat: RepeatKey | None, connection: Connection) -> Created:
        if repeat is not None:
            self._database.hold(connection, f"{draft.owner} {repeat.key}")
            earlier = self._earlier(draft.owner, repeat, connection)
            if earlier is not None:
                return Created(_whole(earlier, connection), is_repeat=True)
            _keep(connection, draft, repeat)
        if draft.most_open is not None:
            self._database.hold(connection, f"open {draft.owner}")
            _make_sure_of_room(connection, draft, draft.most_open)
        write(connection, draft)
        place = place_of(connection, draft.session_id, draft.engine)
        return Created(draft.accepted(place), is_repeat=False)

    def _earlier(self, owner: str, repeat: RepeatKey, connection: Connection) -> str | None:
        told = {"owner": owner, "key": repeat.key, "now": self._clock.now()}
        row = connection.execute(_KNOWN, told).one_or_none()
        if row is None:
            return None
        if row.body_hash != repeat.body_hash:
            raise Conflict("This Idempotency-Key was used for another request.")
        found: str = row.session_id
        return found


# Statements that are run for every request are built once: building one takes longer than it runs.
_OF_ITEM: Final = [column.label(f"{ITEM}{column.name}") for column in session_items.c]
_WHOLE: Final = select(sessions, *_OF_ITEM).join(
    session_items, session_items.c.session_id == sessions.c.id
)
_OF_EVENT: Final = [session_events.c[name] for name in ("seq", "kind", "at", "data")]
_BY_ID: Final = (sessions.c.id, session_items.c.position)
_ALIVE: Final = (~sessions.c.is_forgotten, sessions.c.expires_at > bindparam("now"))
_OWNER: Final = select(sessions.c.owner).where(sessions.c.id == bindparam("id"), *_ALIVE)
_MINE: Final = (sessions.c.id == bindparam("id"), sessions.c.owner == bindparam("owner"), *_ALIVE)
_FIND: Final = _WHOLE.where(*_MINE).order_by(session_items.c.position)
_BY_NAME: Final = _WHOLE.where(sessions.c.id == bindparam("id")).order_by(*_BY_ID)
_NEWS: Final = (
    select(sessions.c.state, sessions.c.last_event, *_OF_EVENT)
    .outerjoin(
        session_events,
        and_(session_events.c.session_id == sessions.c.id, session_events.c.seq > bindparam("seq")),
    )
    .where(*_MINE)
    .order_by(session_events.c.seq)
    .limit(bindparam("most"))
)
_KNOWN: Final = (
    select(idempotency_keys)
    .join(sessions, sessions.c.id == idempotency_keys.c.session_id)
    .where(
        idempotency_keys.c.owner == bindparam("owner"),
        idempotency_keys.c.key == bindparam("key"),
        idempotency_keys.c.expires_at > bindparam("now"),
        *_ALIVE,
    )
)
# Not `in_`, which is spelt out anew for every execution.
_IS_OPEN: Final = or_(*(sessions.c.state == state.value for state in sorted(OPEN)))
_OPENED: Final = (
    select(func.count())
    .select_from(sessions)
    .where(sessions.c.owner == bindparam("owner"), _IS_OPEN, ~sessions.c.is_forgotten)
)


def _find(mine: Mapping[str, Any], connection: Connection) -> Session | None:
    rows = connection.execute(_FIND, mine).all()
    return _placed(rows, connection) if rows else None


def _placed(rows: Sequence[Row[Any]], connection: Connection) -> Session:
    row = rows[0]
    place = place_of(connection, row.id, row.engine) if State(row.state) in OPEN else None
    return session_of(rows, place)


def _all(wanted: Select[Any], connection: Connection) -> Sequence[Session]:
    return sessions_of(connection.execute(wanted))


def _whole(session_id: str, connection: Connection) -> Session:
    """A session, forgotten or not."""
    return _placed(connection.execute(_BY_NAME, {"id": session_id}).all(), connection)


def _owner(told: Mapping[str, Any], connection: Connection) -> str | None:
    return connection.execute(_OWNER, told).scalar_one_or_none()


def _history(asked: Mapping[str, Any], connection: Connection) -> History | None:
    rows = connection.execute(_NEWS, asked).all()
    if not rows:
        return None
    events = [event_of(row) for row in rows if row.seq is not None]
    return History(State(rows[0].state), rows[0].last_event, events)


def _make_sure_of_room(connection: Connection, draft: Draft, most_open: int) -> None:
    opened = connection.execute(_OPENED, {"owner": draft.owner}).scalar_one()
    if opened >= most_open:
        raise SessionsFull(details={"open_sessions": most_open})


def _keep(connection: Connection, draft: Draft, repeat: RepeatKey) -> None:
    """Remember a key, in the place of one that is over."""
    keys = idempotency_keys.c
    over = (keys.owner == draft.owner, keys.key == repeat.key)
    connection.execute(delete(idempotency_keys).where(*over))
    connection.execute(
        insert(idempotency_keys).values(
            owner=draft.owner,
            key=repeat.key,
            body_hash=repeat.body_hash,
            session_id=draft.session_id,
            expires_at=repeat.expires_at,
        )
    )
