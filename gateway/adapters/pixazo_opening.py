"""Opens the remote engine, where the deployment has a key for it."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from gateway.adapters.breaker import BreakerRules, Breakers
from gateway.adapters.callbacks import CallbackDesk
from gateway.adapters.outgoing import Outgoing
from gateway.adapters.pixazo import PixazoModels, is_outage
from gateway.adapters.pixazo_orders import Reach, Service
from gateway.domain.addresses import is_public
from gateway.domain.pixazo import CALLBACK_PATH
from gateway.errors.engines import RemoteEngineAway
from gateway.errors.kinds import Misconfigured
from gateway.ports.clock import Clock
from gateway.ports.engines import Lending
from gateway.ports.models import Models
from gateway.ports.pictures import PictureDecoder
from gateway.settings.pixazo import PixazoSettings

PIXAZO: Final = "pixazo"
"""What its YAML calls it under `remote`, and the name of its model."""


@dataclass(frozen=True, slots=True)
class Local:
    """What it needs of this gateway; `public_url` is where it may be reached from outside."""

    public_url: str
    lending: Lending
    desk: CallbackDesk
    decoder: PictureDecoder
    clock: Clock


async def open_pixazo(
    told: PixazoSettings, local: Local, breakers: Breakers, stack: AsyncExitStack
) -> dict[str, Models]:
    """The remote engine by the name of its model; none without a key."""
    if told.key is None or not told.is_on:
        return {}
    if not local.public_url.startswith(("https://", "http://")):
        hint = "the remote engine fetches photos from there, and calls back"
        raise Misconfigured(f"setting VTON_HTTP__PUBLIC_URL: VTON_PIXAZO__KEY needs it: {hint}")
    is_allowed = _is_public_or_here if told.is_stand_in else is_public
    calls = Outgoing(told.call_s, told.max_result_bytes, is_allowed=is_allowed)
    await stack.enter_async_context(calls)
    rules = BreakerRules(told.failures, told.reset_s, told.max_concurrent, told.timeout_s)
    breaker = breakers.breaker(PIXAZO, RemoteEngineAway, rules, is_outage)
    service = Service(
        url=told.url,
        path=told.path,
        key=told.key.get_secret_value(),
        callback_url=local.public_url + CALLBACK_PATH,
        poll_s=told.poll_s,
        is_stand_in=told.is_stand_in,
        max_concurrent=told.max_concurrent,
    )
    reach = Reach(calls, breaker, local.desk, local.lending, local.decoder, local.clock)
    return {PIXAZO: PixazoModels(service, reach)}


def _is_public_or_here(address: str) -> bool:
    return is_public(address) or ip_address(address).is_loopback
