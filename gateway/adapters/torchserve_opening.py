"""Opens the TorchServe hosts of the settings: their connection pools, breakers and versions."""

import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import httpx
import structlog
from pydantic import SecretStr

from gateway.adapters.breaker import BreakerRules, Breakers
from gateway.adapters.torchserve import TorchServe
from gateway.adapters.torchserve_hosts import Host, Retries, TorchServeHosts, is_silence
from gateway.adapters.torchserve_management import TorchServeVersions
from gateway.adapters.torchserve_traffic import VersionTraffic
from gateway.adapters.torchserve_versions import HostsVersions
from gateway.domain.options import Engine
from gateway.errors.kinds import ModelNotLoaded
from gateway.metrics import Metrics
from gateway.ports.models import VersionControl
from gateway.settings.tree import TorchServeSettings

_FAILURES: Final = 5


@dataclass(frozen=True, slots=True)
class Heard:
    """Who hears of retries (the reason), and of attempts (model, version and outcome)."""

    on_retry: Callable[[str], None]
    on_attempt: Callable[[str, str, str], None]


async def open_torchserve(
    ts: TorchServeSettings,
    engines: Iterable[Engine],
    breakers: Breakers,
    heard: Heard,
    stack: AsyncExitStack,
) -> tuple[TorchServeHosts, VersionControl]:
    """Every host of the settings, as models and as versions; `stack` closes their connections."""
    models = {engine.model: engine.patience or ts.patience for engine in engines}
    traffic, rules = VersionTraffic(time.monotonic), BreakerRules(_FAILURES, ts.reset_s)
    traffic.on_end = heard.on_attempt
    hosts, controls = list[Host](), list[TorchServeVersions]()
    places = zip(ts.inference_url, ts.management_url, strict=True)
    for number, (inference_url, management_url) in enumerate(places, start=1):
        inference = _client(ts, inference_url, ts.inference_token)
        management = _client(ts, management_url, ts.management_token)
        for client in (inference, management):
            await stack.enter_async_context(client)
        name = "torchserve" if len(ts.inference_url) == 1 else f"torchserve_{number}"
        breaker = breakers.breaker(name, ModelNotLoaded, rules, is_silence)
        server = TorchServe(inference, management, models, traffic, ts.max_frame_bytes)
        hosts.append(Host(server, breaker))
        controls.append(TorchServeVersions(management))
    retries = Retries(ts.recovery_s, ts.retry_first_s, ts.retry_longest_s, ts.max_crashes)
    served = TorchServeHosts(hosts, models, retries, traffic, heard.on_retry)
    return served, controls[0] if len(controls) == 1 else HostsVersions(controls)


def heard_by(metrics: Metrics) -> Heard:
    """Counts both, and writes retries into the log."""

    def on_retry(reason: str) -> None:
        metrics.retries.labels(reason).inc()
        structlog.get_logger(__name__).warning("inference asked again", reason=reason)

    def on_attempt(model: str, version: str, outcome: str) -> None:
        metrics.version_requests.labels(model, version, outcome).inc()

    return Heard(on_retry, on_attempt)


def _client(ts: TorchServeSettings, url: str, token: SecretStr | None) -> httpx.AsyncClient:
    """One pool; reading has no time-out of its own, as deadlines are the adapter's."""
    headers = {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
    return httpx.AsyncClient(
        base_url=url,
        headers=headers,
        timeout=httpx.Timeout(None, connect=ts.connect_s),
        limits=httpx.Limits(
            max_connections=ts.max_connections, max_keepalive_connections=ts.max_connections
        ),
        trust_env=False,
    )
