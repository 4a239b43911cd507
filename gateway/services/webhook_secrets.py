"""Secrets of endpoints as the database has them: sealed, so that a copy of it signs nothing."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from gateway.domain.sealing import seal, unseal
from gateway.domain.webhooks import Endpoint, Errand, Secret, Shares, Tried
from gateway.ports.webhooks import WebhookOutbox


class WebhookSecrets:
    """Seals and opens secrets with a key that every gateway of the deployment has."""

    def __init__(self, key: str) -> None:
        self._key = key

    def sealed(self, secret: str) -> Secret:
        """A new secret, to be kept."""
        return Secret(urlsafe_b64encode(seal(self._key, secret.encode())).decode())

    def opened(self, secrets: Iterable[Secret]) -> tuple[Secret, ...]:
        """Secrets as they sign; without those that were sealed with another key."""
        found = ((one, self._open(one.secret)) for one in secrets)
        return tuple(replace(one, secret=text) for one, text in found if text is not None)

    def shown(self, endpoint: Endpoint) -> Endpoint:
        """An endpoint with its secrets as they sign."""
        return replace(endpoint, secrets=self.opened(endpoint.secrets))

    def _open(self, sealed: str) -> str | None:
        try:
            text = unseal(self._key, urlsafe_b64decode(sealed))
        except ValueError:
            return None
        return None if text is None else text.decode()


class OpenedOutbox:
    """Implements the WebhookOutbox port: another one, whose messages come with what signs them."""

    def __init__(self, outbox: WebhookOutbox, secrets: WebhookSecrets) -> None:
        self._outbox = outbox
        self._secrets = secrets

    async def take(self, shares: Shares, under_way: Collection[Errand] = ()) -> Sequence[Errand]:
        """Take messages that are due, from whoever lost them, too; nobody more than his share."""
        taken = await self._outbox.take(shares, under_way)
        return [replace(one, secrets=self._secrets.opened(one.secrets)) for one in taken]

    async def settle(self, errand: Errand, tried: Tried) -> bool:
        """Write down what came of a try; whether the message was still this deliverer's."""
        return await self._outbox.settle(errand, tried)
