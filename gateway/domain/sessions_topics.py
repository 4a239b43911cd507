"""What processes wake each other for."""

from typing import Final

QUEUE: Final = "queue"
"""There may be something to claim."""

LEASES: Final = "leases"
"""A runner may have lost something it holds."""


def of_session(session_id: str) -> str:
    """Something happened to a session."""
    return f"session {session_id}"
