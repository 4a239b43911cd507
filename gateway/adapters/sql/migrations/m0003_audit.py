"""Who did what."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: Final = "0003"
down_revision: Final = "0002"

_ID: Final = sa.String(64)
_TEXT: Final = sa.String(256)
_JSON: Final = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "audit_events",
        sa.Column("id", _ID, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("event", _ID, nullable=False),
        sa.Column("caller", _TEXT, nullable=False),
        sa.Column("address", _ID, nullable=False),
        sa.Column("user_agent", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("detail", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
    )
    op.create_index("ix_audit_events_at", "audit_events", ["at"])
    op.create_index("ix_audit_events_caller", "audit_events", ["caller", "at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("audit_events")
