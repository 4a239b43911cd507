"""What engines elsewhere gave for an item, so that whoever begins it again does not pay twice."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: Final = "0008"
down_revision: Final = "0007"
_JSON: Final = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Add the column."""
    op.add_column("session_items", sa.Column("tickets", _JSON))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("session_items", "tickets")
