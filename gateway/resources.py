"""Everything the gateway holds open, born and buried here; the only place that picks adapters."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import httpx
import structlog
from pydantic import SecretStr

from gateway.adapters.clock import SystemClock
from gateway.adapters.decoder import ThreadedDecoder
from gateway.adapters.engines import load_registry
from gateway.adapters.memory import MemoryResultMemo
from gateway.adapters.model_store import FolderModelStore
from gateway.adapters.objects import ObjectStoreAdapter
from gateway.adapters.torchserve import Retries, TorchServe
from gateway.adapters.torchserve_management import TorchServeVersions
from gateway.domain.images import ImageLimits
from gateway.domain.licensing import Licensing
from gateway.domain.options import Engine, Registry
from gateway.domain.versions import Limits
from gateway.errors import Misconfigured
from gateway.metrics import Metrics
from gateway.narrowing import narrowed
from gateway.ports import Clock, Models, ObjectStore
from gateway.schemas import BodiesBody
from gateway.services.admission import Admission
from gateway.services.bodies import BodiesService
from gateway.services.catalogue import Catalogue
from gateway.services.garments import GarmentService
from gateway.services.health import HealthService, engines_check, storage_check
from gateway.services.inference import InferenceService
from gateway.services.person import PersonService
from gateway.services.pictures import PictureService
from gateway.services.results import LinkRules, ResultService
from gateway.services.retention import RetentionService
from gateway.services.rollout_course import Rules, Serving
from gateway.services.rollouts import RolloutService
from gateway.services.tryon import TryOnService
from gateway.settings import Settings, TorchServeSettings


@dataclass(frozen=True, slots=True)
class Resources:
    """What routes work with.

    `bodies_schema` is what is read of a request for bodies: what the drawing engine offers.
    """

    settings: Settings
    registry: Registry
    licensing: Licensing
    bodies_schema: type[BodiesBody]
    metrics: Metrics
    models: Models
    store: ObjectStore
    admission: Admission
    pictures: PictureService
    results: ResultService
    tryon: TryOnService
    person: PersonService
    bodies: BodiesService
    catalogue: Catalogue
    garments: GarmentService
    health: HealthService
    retention: RetentionService
    rollouts: RolloutService


@asynccontextmanager
async def open_resources(
    settings: Settings, metrics: Metrics, *, clock: Clock | None = None
) -> AsyncIterator[Resources]:
    """Open everything, keep the background work going, and close everything at the end."""
    async with AsyncExitStack() as stack:
        resources = await _assemble(settings, metrics, clock or SystemClock(), stack)
        await resources.health.check()
        async with _background(
            _every(settings.health.interval_s, resources.health.check, wait_first=True),
            _every(settings.storage.sweep_interval_s, resources.retention.sweep),
        ):
            yield resources


async def _assemble(
    settings: Settings, metrics: Metrics, clock: Clock, stack: AsyncExitStack
) -> Resources:
    registry = load_registry(settings.tryon.engines_dir)
    licensing = Licensing(settings.commercial_only)
    default, drawer = settings.tryon.default_engine, registry.drawer
    _check_default(registry.engines, default, licensing)
    models, control = await _torchserve(settings, registry.every, metrics, stack)
    serving = Serving(control, models, models.traffic, clock)
    rollouts = _rollouts(settings, registry.every, serving, metrics)
    stack.push_async_callback(rollouts.close)
    store = ObjectStoreAdapter(settings.storage.url)
    memo = MemoryResultMemo(clock, settings.tryon.memo_ttl_s, settings.tryon.memo_entries)
    decoder = _decoder(settings)
    stack.callback(decoder.close)
    retention_s = settings.storage.retention_s
    results = ResultService(
        store, memo, clock, secrets.token_bytes, retention_s, _link_rules(settings)
    )
    pictures = PictureService(store, decoder, clock, secrets.token_bytes, retention_s)
    catalogue = Catalogue(store, clock, secrets.token_bytes)
    inference = InferenceService(models, results, clock, metrics)
    checks = {
        "engines": engines_check(models, registry.every, default, licensing, metrics),
        "storage": storage_check(store),
    }
    return Resources(
        settings=settings,
        registry=registry,
        licensing=licensing,
        bodies_schema=BodiesBody if drawer is None else narrowed(BodiesBody, drawer),
        metrics=metrics,
        models=models,
        store=store,
        admission=Admission(settings.tryon.max_in_flight, metrics),
        pictures=pictures,
        results=results,
        tryon=TryOnService(registry.engines, default, licensing, pictures, catalogue, inference),
        person=PersonService(registry.analyser, licensing, pictures, inference),
        bodies=BodiesService(drawer, licensing, inference),
        catalogue=catalogue,
        garments=GarmentService(
            registry.engines, default, licensing, pictures, catalogue, models
        ),
        health=HealthService(checks, clock, settings.health.timeout_s),
        retention=RetentionService(store, clock, metrics),
        rollouts=rollouts,
    )


def _check_default(engines: Mapping[str, Engine], default: str, licensing: Licensing) -> None:
    setting = "setting VTON_TRYON__DEFAULT_ENGINE"
    if default not in engines:
        raise Misconfigured(f"{setting}: not one of {sorted(engines)}")
    if reason := licensing.reason(engines[default]):
        raise Misconfigured(f"{setting}: {reason}, and VTON_COMMERCIAL_ONLY is on")


def _decoder(settings: Settings) -> ThreadedDecoder:
    uploads = settings.uploads
    limits = ImageLimits(
        min_side_px=uploads.min_side_px,
        max_pixels=uploads.max_pixels,
        max_aspect_ratio=uploads.max_aspect_ratio,
        working_side_px=uploads.working_side_px,
    )
    return ThreadedDecoder(limits, uploads.decode_workers, uploads.decode_queue)


def _link_rules(settings: Settings) -> LinkRules:
    secret = settings.storage.signing_secret.get_secret_value().encode()
    return LinkRules(secret, settings.storage.link_ttl_s, settings.http.public_url.rstrip("/"))


async def _torchserve(
    settings: Settings, engines: Iterable[Engine], metrics: Metrics, stack: AsyncExitStack
) -> tuple[TorchServe, TorchServeVersions]:
    ts = settings.torchserve
    inference = await stack.enter_async_context(_client(ts, ts.inference_url, ts.inference_token))
    management = await stack.enter_async_context(
        _client(ts, ts.management_url, ts.management_token)
    )
    models = {engine.model: engine.patience or ts.patience for engine in engines}
    retries = Retries(ts.recovery_s, ts.retry_first_s, ts.retry_longest_s, ts.max_crashes)

    def on_retry(reason: str) -> None:
        metrics.retries.labels(reason).inc()
        structlog.get_logger(__name__).warning("inference asked again", reason=reason)

    torchserve = TorchServe(inference, management, models, retries, ts.max_frame_bytes, on_retry)
    torchserve.traffic.on_end = lambda *what: metrics.version_requests.labels(*what).inc()
    return torchserve, TorchServeVersions(management)


def _rollouts(
    settings: Settings, engines: Iterable[Engine], serving: Serving, metrics: Metrics
) -> RolloutService:
    told, patience = settings.rollout, settings.torchserve.patience
    limits = Limits(told.requests, told.error_rise, told.refusal_rise, told.slowdown)
    rules = {
        engine.model: Rules(
            limits=limits,
            request_s=(engine.patience or patience).deadline_s,
            drain_s=told.drain_s,
            gateways=told.gateways,
            look_s=told.look_s,
        )
        for engine in engines
    }
    store = FolderModelStore(told.model_store)
    return RolloutService(store, serving, rules, metrics, partial(secrets.token_hex, 8))


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


async def _every(
    interval_s: float, work: Callable[[], Awaitable[object]], *, wait_first: bool = False
) -> None:
    """Do the work again and again; a failure is logged and does not end it."""
    while True:
        if wait_first:
            await asyncio.sleep(interval_s)
        wait_first = True
        try:
            await work()
        except Exception:  # noqa: BLE001 - the next round may succeed
            structlog.get_logger(__name__).exception("background work failed")


@asynccontextmanager
async def _background(*loops: Awaitable[None]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
