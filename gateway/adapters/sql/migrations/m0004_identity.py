"""Keys of servers, sign-ins that ended early, refreshes under way."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: Final = "0004"
down_revision: Final = "0003"

_ID: Final = sa.String(64)
_JSON: Final = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _keys()
    _sign_ins()


def downgrade() -> None:
    """Drop the tables."""
    for table in ("sign_in_refreshes", "denied_sign_ins", "api_keys"):
        op.drop_table(table)


def _keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner", _ID, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("scopes", _JSON, nullable=False),
        sa.Column("limits", _JSON, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
        sa.Column("last_used_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("ix_api_keys_owner", "api_keys", ["owner"])


def _sign_ins() -> None:
    op.create_table(
        "denied_sign_ins",
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("before", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_denied_sign_ins"),
    )
    op.create_index("ix_denied_sign_ins_until", "denied_sign_ins", ["until"])
    op.create_table(
        "sign_in_refreshes",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sign_in_refreshes"),
    )
    op.create_index("ix_sign_in_refreshes_until", "sign_in_refreshes", ["until"])
