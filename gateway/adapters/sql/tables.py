"""The tables of sessions; their history is in `migrations`.

The items are the queue. Times are Unix seconds; JSON columns hold what `records` writes.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)
from sqlalchemy.dialects.postgresql import JSONB

DOCUMENT: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_ID: Final = String(64)

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _of_session() -> Column[str]:
    """A column that goes when its session goes."""
    return Column(
        "session_id", _ID, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True
    )


sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("owner", _ID, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("engine", _ID, nullable=False),
    Column("state", String(16), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("expires_at", Double, nullable=False, index=True),
    Column("cancel_at", Double),
    Column("last_event", Integer, nullable=False),
    Column("is_forgotten", Boolean, nullable=False, index=True),
    Column("payer", _ID),
    Index("ix_sessions_list", "owner", "created_at", "id"),
    Index("ix_sessions_cancel", "state", "cancel_at"),
    # All that is asked before a session is let in, so that who has many waits no longer.
    Index("ix_sessions_open", "owner", "state", "is_forgotten"),
)

session_items: Final = Table(
    "session_items",
    metadata,
    _of_session(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("owner", _ID, nullable=False),
    Column("engine", _ID, nullable=False),
    Column("state", String(16), nullable=False),
    Column("rank", Double, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("bounces", Integer, nullable=False, server_default="0"),
    Column("not_before", Double, nullable=False),
    Column("runner", _ID),
    Column("lease_until", Double),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("ask", DOCUMENT, nullable=False),
    Column("progress", DOCUMENT),
    Column("tickets", DOCUMENT),
    Column("outcome", DOCUMENT),
    Column("fault", DOCUMENT),
    # In the order of claims, with what it takes to pass one over.
    Index("ix_session_items_queue", "state", "engine", "rank", "session_id", "owner", "not_before"),
    Index("ix_session_items_running", "owner", "state"),
)

session_events: Final = Table(
    "session_events",
    metadata,
    _of_session(),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("at", Double, nullable=False),
    Column("data", DOCUMENT, nullable=False),
)

idempotency_keys: Final = Table(
    "idempotency_keys",
    metadata,
    Column("owner", _ID, primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("session_id", _ID, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)
