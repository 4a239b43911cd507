"""A session that is written for the first time."""

from typing import Any, Final

from sqlalchemy import Connection, insert

from gateway.adapters.sql.records import ask_json
from gateway.adapters.sql.tables import session_events, session_items, sessions
from gateway.adapters.sql.webhook_book import endpoint_row
from gateway.adapters.sql.webhook_tables import webhook_endpoints
from gateway.domain.sessions import FIRST_EVENT, Draft, EventKind
from gateway.domain.sessions_lifecycle import State
from gateway.domain.sessions_queue import rank

_ADD: Final = insert(sessions)
_ADD_ITEMS: Final = insert(session_items)
_ADD_EVENT: Final = insert(session_events)


def write(connection: Connection, draft: Draft) -> None:
    """Add a session with its items, its first event, and who is to be told of it."""
    state = State.CREATED.value
    session = {
        "id": draft.session_id,
        "owner": draft.owner,
        "kind": draft.kind.value,
        "engine": draft.engine,
        "state": state,
        "request_id": draft.request_id,
        "created_at": draft.created_at,
        "expires_at": draft.expires_at,
        "cancel_at": draft.cancel_at,
        "last_event": FIRST_EVENT,
        "is_forgotten": False,
        "payer": draft.payer,
    }
    connection.execute(_ADD, session)
    connection.execute(_ADD_ITEMS, [_item(draft, place) for place in range(len(draft.asks))])
    first = {"kind": EventKind.STATE.value, "at": draft.created_at, "data": {"state": state}}
    connection.execute(_ADD_EVENT, {"session_id": draft.session_id, "seq": FIRST_EVENT, **first})
    if draft.webhook is not None:
        connection.execute(insert(webhook_endpoints), endpoint_row(draft.webhook))


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
