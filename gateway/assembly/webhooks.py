"""Puts what delivers webhooks together; what it stands on is chosen in `resources`."""

import hmac
import secrets
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from random import SystemRandom

from gateway.assembly.background import Loop
from gateway.domain.webhooks import Shares
from gateway.ports.clock import Clock
from gateway.ports.sessions import Notices
from gateway.ports.webhooks import OutgoingCalls, WebhookBook, WebhookOutbox
from gateway.services.webhook_deliverer import WebhookDeliverer
from gateway.services.webhook_secrets import OpenedOutbox, WebhookSecrets
from gateway.services.webhooks import WebhookService
from gateway.settings.webhooks import WebhookSettings


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What owners use, and what delivers."""

    service: WebhookService
    deliverer: WebhookDeliverer

    def work(self, told: WebhookSettings) -> Loop:
        """What goes on beside the requests."""
        return Loop("webhooks", partial(self.deliverer.run, told.poll_s))


@dataclass(frozen=True, slots=True)
class WebhookGround:
    """What webhooks stand on; `secret` is the deployment's."""

    book: WebhookBook
    outbox: WebhookOutbox
    outgoing: OutgoingCalls
    notices: Notices
    clock: Clock
    secret: bytes


def webhooks(on: WebhookGround, told: WebhookSettings) -> Webhooks:
    """The services of webhooks."""
    sealing = WebhookSecrets(hmac.new(on.secret, b"webhooks", sha256).hexdigest())
    service = WebhookService(on.book, on.clock, secrets.token_bytes, told, sealing)
    outbox = OpenedOutbox(on.outbox, sealing)
    shares = Shares(told.at_once, told.per_owner, told.per_endpoint)
    deliverer = WebhookDeliverer(
        outbox, on.outgoing, on.notices, on.clock, SystemRandom().random, shares
    )
    return Webhooks(service, deliverer)
