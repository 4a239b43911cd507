"""What processes wake each other for; a topic has no blank in it."""

from typing import Final

QUEUE: Final = "queue"
"""There may be something to claim."""

LEASES: Final = "leases"
"""A runner may have lost something it holds."""

OUTBOX: Final = "webhooks"
"""There may be something to deliver."""

FORGOTTEN: Final = "forgotten"
"""Pictures were erased that a gateway may remember."""


def of_session(session_id: str) -> str:
    """Something happened to a session."""
    return f"session:{session_id}"


def glimpses_of(session_id: str) -> str:
    """What a session is to be, to look at while it is being made."""
    return f"glimpses:{session_id}"
