"""What engines elsewhere gave for an item: written to its row, for whoever begins it again."""

from collections.abc import Mapping

from gateway.domain.sessions import Claim
from gateway.errors.kinds import Conflict
from gateway.ports.sessions import SessionQueue


class ItemTickets:
    """Implements the Tickets protocol for an item that was claimed."""

    def __init__(self, claim: Claim, queue: SessionQueue) -> None:
        self._claim = claim
        self._queue = queue
        self._known = dict(claim.tickets)

    @property
    def all(self) -> Mapping[str, str]:
        """Every ticket by its model, written down or not."""
        return self._known

    def known(self, model: str) -> str:
        """What a model gave; empty for none."""
        return self._known.get(model, "")

    async def keep(self, model: str, ticket: str) -> None:
        """Write down what a model gave; raises DatabaseFailed, or Conflict."""
        self._known[model] = ticket
        if not await self._queue.remember(self._claim, self._known):
            raise Conflict
