"""What API keys cost a day, and which key pays for a session."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"


def upgrade() -> None:
    """Add the columns."""
    op.add_column(
        "api_keys", sa.Column("spent_day", sa.Integer, nullable=False, server_default="0")
    )
    op.add_column(
        "api_keys", sa.Column("spent_gpu_s", sa.Double, nullable=False, server_default="0")
    )
    op.add_column("sessions", sa.Column("payer", sa.String(64)))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("sessions", "payer")
    op.drop_column("api_keys", "spent_gpu_s")
    op.drop_column("api_keys", "spent_day")
