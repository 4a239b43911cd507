"""How often in a row an item was given back, so that it waits longer each time."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0007"
down_revision: Final = "0006"


def upgrade() -> None:
    """Add the column; whatever waits has not bounced yet."""
    bounces = sa.Column("bounces", sa.Integer, nullable=False, server_default="0")
    op.add_column("session_items", bounces)


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("session_items", "bounces")
