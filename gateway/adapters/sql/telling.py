"""Which claims watchers are told of: the first, and of one that bounced, only if it gets on.

What waits for its engine, the store or room is claimed and given back for as long as it takes. Its
watchers are told once that it waits again, and then when there is something to see.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, null, select

from gateway.adapters.sql.fencing import is_still
from gateway.adapters.sql.tables import session_items
from gateway.domain.sessions import Claim
from gateway.domain.sessions_lifecycle import State


def begun(claim: Claim) -> Mapping[str, Any]:
    """What an event tells of an item that is being made."""
    return {
        "item": claim.position,
        "state": State.PROCESSING.value,
        "attempt": claim.attempt,
    }


def was_told(connection: Connection, claim: Claim) -> bool:
    """Whether an event told that the item is being made in this attempt."""
    if claim.bounces == 0:
        return True
    got_on = select(session_items.c.position).where(
        *is_still(claim), session_items.c.progress.is_not(null())
    )
    return connection.execute(got_on).one_or_none() is not None
