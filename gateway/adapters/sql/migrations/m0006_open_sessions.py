"""How many sessions of an owner are open, without reading every one he has."""

from typing import Final

from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_sessions_open", "sessions", ["owner", "state", "is_forgotten"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_sessions_open", "sessions")
