"""Sessions, their items, their events, and the keys of repeated requests."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: Final = "0001"
down_revision: Final = None

_ID: Final = sa.String(64)
_JSON: Final = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _sessions()
    _items()
    _events()
    _keys()


def downgrade() -> None:
    """Drop the tables."""
    for table in ("idempotency_keys", "session_events", "session_items", "sessions"):
        op.drop_table(table)


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner", _ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("engine", _ID, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("cancel_at", sa.Double),
        sa.Column("last_event", sa.Integer, nullable=False),
        sa.Column("is_forgotten", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_list", "sessions", ["owner", "created_at", "id"])
    op.create_index("ix_sessions_is_forgotten", "sessions", ["is_forgotten"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_index("ix_sessions_cancel_at", "sessions", ["cancel_at"])


def _items() -> None:
    op.create_table(
        "session_items",
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("owner", _ID, nullable=False),
        sa.Column("engine", _ID, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("rank", sa.Double, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("not_before", sa.Double, nullable=False),
        sa.Column("runner", _ID),
        sa.Column("lease_until", sa.Double),
        sa.Column("started_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("ask", _JSON, nullable=False),
        sa.Column("progress", _JSON),
        sa.Column("outcome", _JSON),
        sa.Column("fault", _JSON),
        sa.PrimaryKeyConstraint("session_id", "position", name="pk_session_items"),
        _of_session("session_items"),
    )
    op.create_index("ix_session_items_queue", "session_items", ["state", "engine", "rank"])
    op.create_index("ix_session_items_running", "session_items", ["owner", "state"])


def _events() -> None:
    op.create_table(
        "session_events",
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("data", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "seq", name="pk_session_events"),
        _of_session("session_events"),
    )


def _keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", _ID, nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"])


def _of_session(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["session_id"], ["sessions.id"], name=f"fk_{table}_session_id", ondelete="CASCADE"
    )
