"""Endpoints of webhooks: added, listed, given new secrets, removed, and told again on demand."""

from collections.abc import Callable, Sequence
from functools import partial

from gateway.domain.addresses import checked_url
from gateway.domain.webhooks import (
    SECRET_BYTES,
    Delivery,
    Endpoint,
    Secret,
    in_force,
    secret_of,
)
from gateway.errors.kinds import Conflict, InvalidInput, NotFound
from gateway.ports.clock import Clock
from gateway.ports.webhooks import WebhookBook
from gateway.services.webhook_secrets import WebhookSecrets
from gateway.settings.webhooks import WebhookSettings

_ID_BYTES = 16
_MOST_SECRETS = 4


class WebhookService:
    """What an owner can do with endpoints; everything else answers NotFound."""

    def __init__(
        self,
        book: WebhookBook,
        clock: Clock,
        random: Callable[[int], bytes],
        settings: WebhookSettings,
        secrets: WebhookSecrets,
    ) -> None:
        self._book = book
        self._clock = clock
        self._random = random
        self._settings = settings
        self._secrets = secrets

    def made(
        self,
        owner: str,
        url: str,
        kinds: Sequence[str] = (),
        session_id: str | None = None,
        field: str = "url",
    ) -> Endpoint:
        """An endpoint that is yet to be written down, its secret sealed.

        Raises InvalidInput that names the field.
        """
        checked_url(field, url, allow_private=self._settings.allow_private)
        return Endpoint(
            endpoint_id=f"ep_{self._random(_ID_BYTES).hex()}",
            owner=owner,
            url=url,
            secrets=(self._new_secret(),),
            kinds=tuple(dict.fromkeys(kinds)),
            session_id=session_id,
            created_at=self._clock.now(),
        )

    async def add(
        self,
        owner: str,
        url: str,
        kinds: Sequence[str] = (),
        session_id: str | None = None,
    ) -> Endpoint:
        """A new endpoint, told of these kinds of events, or all; its secret is in the answer.

        One of a session is told of that session alone. Raises InvalidInput, Conflict.
        """
        endpoint = self.made(owner, url, kinds, session_id)
        if not await self._book.add(endpoint, self._settings.max_endpoints):
            raise Conflict(f"There are {self._settings.max_endpoints} endpoints already.")
        return self._secrets.shown(endpoint)

    async def endpoints(self, owner: str) -> Sequence[Endpoint]:
        """An owner's endpoints, the oldest first."""
        return await self._book.endpoints(owner)

    async def find(self, owner: str, endpoint_id: str) -> Endpoint:
        """One of an owner's endpoints, as it is kept."""
        endpoint = await self._book.find(owner, endpoint_id)
        if endpoint is None:
            raise NotFound
        return endpoint

    async def rotate(self, owner: str, endpoint_id: str) -> Endpoint:
        """Give an endpoint a new secret; those before sign beside it for a while."""
        rotated = partial(self._rotated, self._new_secret())
        endpoint = await self._book.change_secrets(owner, endpoint_id, rotated)
        if endpoint is None:
            raise NotFound
        return self._secrets.shown(endpoint)

    async def enable(self, owner: str, endpoint_id: str) -> None:
        """Tell an endpoint again that wanted nothing any more."""
        if not await self._book.enable(owner, endpoint_id):
            raise NotFound

    async def remove(self, owner: str, endpoint_id: str) -> None:
        """Forget an endpoint and all its deliveries."""
        if not await self._book.remove(owner, endpoint_id):
            raise NotFound

    async def deliveries(self, owner: str, endpoint_id: str, limit: int) -> Sequence[Delivery]:
        """An endpoint's deliveries, the newest first."""
        await self.find(owner, endpoint_id)
        if limit < 1:
            raise InvalidInput.of("limit", "must be at least 1")
        return await self._book.deliveries(owner, endpoint_id, limit)

    async def of_session(self, owner: str, session_id: str) -> Endpoint | None:
        """The endpoint that a session came with, with its secret."""
        endpoint = await self._book.of_session(owner, session_id)
        return None if endpoint is None else self.shown(endpoint)

    def shown(self, endpoint: Endpoint) -> Endpoint:
        """An endpoint with its secret, as its owner is told of it once."""
        return self._secrets.shown(endpoint)

    async def deliveries_of(self, owner: str, session_id: str, limit: int) -> Sequence[Delivery]:
        """What was told of a session, to whichever endpoint, the newest first."""
        return await self._book.deliveries_of(owner, session_id, limit)

    async def redeliver(self, owner: str, message_id: str) -> None:
        """Deliver a message anew; NotFound where its endpoint is gone or disabled."""
        if not await self._book.redeliver(owner, message_id):
            raise NotFound

    def _rotated(self, new: Secret, secrets: Sequence[Secret]) -> Sequence[Secret]:
        now = self._clock.now()
        until = now + self._settings.rotation_s
        still = set(in_force(secrets, now))
        old = [
            Secret(one.secret, until if one.until is None else one.until)
            for one in secrets
            if one.secret in still
        ]
        return (new, *old)[:_MOST_SECRETS]

    def _new_secret(self) -> Secret:
        return self._secrets.sealed(secret_of(self._random(SECRET_BYTES)))
