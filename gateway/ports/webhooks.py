"""What webhooks need from the world, as protocols."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from gateway.domain.webhooks import Answer, Delivery, Endpoint, Errand, Secret, Shares, Tried


class OutgoingCalls(Protocol):
    """Calls to addresses that somebody outside has named."""

    async def call(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b""
    ) -> Answer:
        """Make one call; raises Unreachable."""
        ...


class WebhookBook(Protocol):
    """Endpoints and their deliveries as their owners see them; all raises DatabaseFailed."""

    async def add(self, endpoint: Endpoint, most: int) -> bool:
        """Write an endpoint down, unless its owner has `most` already."""
        ...

    async def endpoints(self, owner: str) -> Sequence[Endpoint]:
        """An owner's endpoints, the oldest first; not those of single sessions."""
        ...

    async def find(self, owner: str, endpoint_id: str) -> Endpoint | None:
        """An owner's endpoint; nobody else's."""
        ...

    async def change_secrets(
        self, owner: str, endpoint_id: str, change: Callable[[Sequence[Secret]], Sequence[Secret]]
    ) -> Endpoint | None:
        """Sign with what this makes of the secrets, nobody else changing them meanwhile.

        The endpoint as it is then; none where there is no such endpoint.
        """
        ...

    async def enable(self, owner: str, endpoint_id: str) -> bool:
        """Tell a disabled endpoint again, from now on; whether there is such an endpoint."""
        ...

    async def remove(self, owner: str, endpoint_id: str) -> bool:
        """Forget an endpoint and all its deliveries; whether there was one."""
        ...

    async def deliveries(self, owner: str, endpoint_id: str, limit: int) -> Sequence[Delivery]:
        """An endpoint's deliveries, the newest first."""
        ...

    async def of_session(self, owner: str, session_id: str) -> Endpoint | None:
        """The endpoint that a session came with."""
        ...

    async def deliveries_of(self, owner: str, session_id: str, limit: int) -> Sequence[Delivery]:
        """What was told of a session, to whichever endpoint, the newest first."""
        ...

    async def redeliver(self, owner: str, message_id: str) -> bool:
        """Deliver a message anew, as if it were new; whether its endpoint is there and enabled."""
        ...


class WebhookOutbox(Protocol):
    """Messages as those who deliver them see them; all raises DatabaseFailed."""

    async def take(self, shares: Shares, under_way: Collection[Errand] = ()) -> Sequence[Errand]:
        """Take messages that are due, from whoever lost them, too.

        With those that are `under_way` here, nobody has more than his share; the owner with the
        fewest goes first.
        """
        ...

    async def settle(self, errand: Errand, tried: Tried) -> bool:
        """Write down what came of a try; whether the message was still this deliverer's."""
        ...
