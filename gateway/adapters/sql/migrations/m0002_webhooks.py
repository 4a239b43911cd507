"""Endpoints of webhooks, and the messages to them."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: Final = "0002"
down_revision: Final = "0001"

_ID: Final = sa.String(64)
_JSON: Final = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _endpoints()
    _deliveries()


def downgrade() -> None:
    """Drop the tables."""
    for table in ("webhook_deliveries", "webhook_endpoints"):
        op.drop_table(table)


def _endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner", _ID, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secrets", _JSON, nullable=False),
        sa.Column("kinds", _JSON, nullable=False),
        sa.Column("session_id", _ID),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("disabled", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_endpoints"),
        _of("webhook_endpoints", "session_id", "sessions"),
    )
    op.create_index("ix_webhook_endpoints_owner", "webhook_endpoints", ["owner"])
    op.create_index("ix_webhook_endpoints_session_id", "webhook_endpoints", ["session_id"])


def _deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", _ID, nullable=False),
        sa.Column("endpoint_id", _ID, nullable=False),
        sa.Column("session_id", _ID),
        sa.Column("kind", _ID, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("not_before", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.String(128)),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
        _of("webhook_deliveries", "endpoint_id", "webhook_endpoints"),
        _of("webhook_deliveries", "session_id", "sessions"),
    )
    index, table = op.create_index, "webhook_deliveries"
    index("ix_webhook_deliveries_due", table, ["state", "not_before"])
    index("ix_webhook_deliveries_list", table, ["endpoint_id", "created_at"])
    index("ix_webhook_deliveries_session_id", table, ["session_id"])


def _of(table: str, column: str, whole: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{whole}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )
