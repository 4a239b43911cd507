"""The table of the audit: who did what, kept for a limited time."""

from typing import Final

from sqlalchemy import Column, Double, Index, String, Table

from gateway.adapters.sql.tables import DOCUMENT, metadata

_ID: Final = String(64)
_TEXT: Final = String(256)

audit_events: Final = Table(
    "audit_events",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("at", Double, nullable=False, index=True),
    Column("event", _ID, nullable=False),
    Column("caller", _TEXT, nullable=False),
    Column("address", _ID, nullable=False),
    Column("user_agent", _TEXT, nullable=False),
    Column("reason", _TEXT, nullable=False),
    Column("detail", DOCUMENT, nullable=False),
    Index("ix_audit_events_caller", "caller", "at"),
)
