"""The tables of webhooks; the deliveries are an outbox, written with what they tell of."""

from typing import Final

from sqlalchemy import (
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from gateway.adapters.sql.tables import DOCUMENT, metadata

_ID: Final = String(64)


def _of_session() -> Column[str]:
    """What tells of a session goes when the session goes."""
    return Column("session_id", _ID, ForeignKey("sessions.id", ondelete="CASCADE"), index=True)


webhook_endpoints: Final = Table(
    "webhook_endpoints",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("owner", _ID, nullable=False),
    Column("url", Text, nullable=False),
    Column("secrets", DOCUMENT, nullable=False),
    Column("kinds", DOCUMENT, nullable=False),
    _of_session(),
    Column("created_at", Double, nullable=False),
    Column("disabled", String(64)),
    Index("ix_webhook_endpoints_of", "owner", "session_id"),
)

webhook_deliveries: Final = Table(
    "webhook_deliveries",
    metadata,
    Column("id", _ID, primary_key=True),
    Column(
        "endpoint_id",
        _ID,
        ForeignKey("webhook_endpoints.id", ondelete="CASCADE"),
        nullable=False,
    ),
    _of_session(),
    Column("kind", _ID, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("not_before", Double, nullable=False),
    Column("ended_at", Double),
    Column("last_status", Integer),
    Column("last_error", String(128)),
    Index("ix_webhook_deliveries_due", "state", "not_before"),
    Index("ix_webhook_deliveries_list", "endpoint_id", "created_at"),
)
