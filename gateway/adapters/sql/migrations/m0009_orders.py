"""Indexes in the order of what is asked: claims, endings, endpoints of a session."""

from typing import Final

from alembic import op

revision: Final = "0009"
down_revision: Final = "0008"

_QUEUE: Final = ("ix_session_items_queue", "session_items")
_CANCEL: Final = ("ix_sessions_cancel", "sessions")
_CANCEL_AT: Final = ("ix_sessions_cancel_at", "sessions")
_OF: Final = ("ix_webhook_endpoints_of", "webhook_endpoints")
_OWNER: Final = ("ix_webhook_endpoints_owner", "webhook_endpoints")


def upgrade() -> None:
    """Put wider indexes in the place of those that left most of a queue to be read."""
    for old in (_QUEUE, _CANCEL_AT, _OWNER):
        op.drop_index(*old)
    op.create_index(*_QUEUE, ["state", "engine", "rank", "session_id", "owner", "not_before"])
    op.create_index(*_CANCEL, ["state", "cancel_at"])
    op.create_index(*_OF, ["owner", "session_id"])


def downgrade() -> None:
    """Go back to the narrower ones."""
    for new in (_QUEUE, _CANCEL, _OF):
        op.drop_index(*new)
    op.create_index(*_QUEUE, ["state", "engine", "rank"])
    op.create_index(*_CANCEL_AT, ["cancel_at"])
    op.create_index(*_OWNER, ["owner"])
