"""Everything the gateway holds open, born and buried here; the only place that picks adapters."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gateway.adapters.breaker import Breakers
from gateway.adapters.callbacks import CallbackDesk
from gateway.adapters.clock import SharedClock, SystemClock
from gateway.adapters.decoder import ThreadedDecoder
from gateway.adapters.engines import load_registry
from gateway.adapters.memory import MemoryResultMemo
from gateway.adapters.model_store import FolderModelStore
from gateway.adapters.notices import open_notices
from gateway.adapters.objects import ObjectStoreAdapter
from gateway.adapters.outgoing import Outgoing
from gateway.adapters.pixazo_opening import PIXAZO, Local, open_pixazo
from gateway.adapters.recommending import open_outsiders
from gateway.adapters.routed import RoutedModels
from gateway.adapters.sql.audit_log import SqlAuditLog
from gateway.adapters.sql.book import SqlSessionBook
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.eraser import SqlEraser
from gateway.adapters.sql.opening import shared_database
from gateway.adapters.sql.purse import SqlPurse
from gateway.adapters.sql.queue import QueueRules, SqlSessionQueue
from gateway.adapters.sql.webhook_book import SqlWebhookBook
from gateway.adapters.sql.webhook_outbox import SqlWebhookOutbox
from gateway.adapters.torchserve_hosts import TorchServeHosts
from gateway.adapters.torchserve_opening import heard_by, open_torchserve
from gateway.assembly.background import Loop, background, every
from gateway.assembly.erasing import Erasing, Outside, erasing
from gateway.assembly.health import Watched, health_checks
from gateway.assembly.identity import DoorGround, Doors, open_doors
from gateway.assembly.recommendations import recommendation_service
from gateway.assembly.rollouts import rollout_service
from gateway.assembly.service_rules import check_default, erasing_rules, image_limits, link_rules
from gateway.assembly.sessions import SessionGround, session_runner, session_service, session_watch
from gateway.assembly.webhooks import WebhookGround, Webhooks, webhooks
from gateway.domain.fallback import EngineOrder
from gateway.domain.licensing import Licensing
from gateway.domain.options import Registry
from gateway.metrics import Metrics
from gateway.ports.clock import Clock
from gateway.ports.models import Models
from gateway.ports.sessions import Notices
from gateway.ports.storage import ObjectStore
from gateway.schemas.narrowing import narrowed
from gateway.schemas.requests import BodiesBody
from gateway.services.admission import Admission
from gateway.services.bodies import BodiesService
from gateway.services.budgets import BudgetService, ChargedModels
from gateway.services.catalogue import Catalogue
from gateway.services.garments import GarmentService
from gateway.services.health import HealthService, hosts_check
from gateway.services.inference import InferenceService
from gateway.services.lending import LendingService
from gateway.services.person import PersonService
from gateway.services.pictures import PictureService
from gateway.services.recommendations import RecommendationService
from gateway.services.refusals import MINUTE_S
from gateway.services.results import ResultService
from gateway.services.rollout_course import Serving
from gateway.services.rollouts import RolloutService
from gateway.services.runner import SessionRunner
from gateway.services.sessions import SessionService
from gateway.services.tryon import TryOnService
from gateway.services.watching import SessionWatch
from gateway.settings.features import delivers_webhooks, features
from gateway.settings.tree import Settings
from gateway.settings.webhooks import WebhookSettings


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
    callbacks: CallbackDesk
    store: ObjectStore
    admission: Admission
    pictures: PictureService
    results: ResultService
    tryon: TryOnService
    person: PersonService
    bodies: BodiesService
    catalogue: Catalogue
    garments: GarmentService
    doors: Doors
    health: HealthService
    erasing: Erasing
    sessions: SessionService
    watch: SessionWatch
    runner: SessionRunner
    rollouts: RolloutService
    webhooks: Webhooks
    recommendations: RecommendationService


@asynccontextmanager
async def open_resources(
    settings: Settings, metrics: Metrics, *, clock: Clock | None = None
) -> AsyncIterator[Resources]:
    """Open everything, keep the background work going, and close everything at the end."""
    health_s = settings.health.interval_s
    async with AsyncExitStack() as stack:
        resources = await _assemble(settings, metrics, clock or SharedClock(SystemClock()), stack)
        await resources.health.check()
        async with background(
            every("health", health_s, resources.health.check, wait_first=True),
            every("recommendations", health_s, resources.recommendations.tidy, wait_first=True),
            *resources.erasing.work(),
            every("doors", settings.storage.sweep_interval_s, resources.doors.clear),
            every("refusals", MINUTE_S, resources.doors.refusals.settle),
            *([Loop("runner", resources.runner.run)] if settings.sessions.is_running else []),
            *([resources.webhooks.work(settings.webhooks)] if delivers_webhooks(settings) else []),
        ):
            yield resources


@dataclass(frozen=True, slots=True)
class _Ground:
    """What the services stand on, as far as several of them share it."""

    registry: Registry
    licensing: Licensing
    database: Database
    budgets: BudgetService
    breakers: Breakers
    hosts: TorchServeHosts
    models: RoutedModels
    paid: ChargedModels
    callbacks: CallbackDesk
    store: ObjectStore
    results: ResultService
    pictures: PictureService
    catalogue: Catalogue
    inference: InferenceService
    tryon: TryOnService
    rollouts: RolloutService


async def _ground(
    settings: Settings, metrics: Metrics, clock: Clock, stack: AsyncExitStack
) -> _Ground:
    has_remote = features(settings)["remote_engine"].is_on
    remotes = {PIXAZO} if has_remote else set[str]()
    registry = load_registry(settings.tryon.engines_dir, remotes)
    licensing = Licensing(settings.commercial_only)
    database = await shared_database(settings, clock, stack)
    budgets = BudgetService(SqlPurse(database, clock), clock)
    breakers = Breakers(clock, metrics.observe_circuit)
    default = settings.tryon.default_engine
    check_default(registry.engines, default, licensing)
    hosts, control = await open_torchserve(
        settings.torchserve, registry.here, breakers, heard_by(metrics), stack
    )
    serving = Serving(control, hosts, hosts.traffic, clock)
    archives = FolderModelStore(settings.rollout.model_store)
    rollouts = rollout_service(settings, registry.here, serving, archives, metrics)
    stack.push_async_callback(rollouts.close)
    store = ObjectStoreAdapter(settings.storage.url)
    memo = MemoryResultMemo(clock, settings.tryon.memo_ttl_s, settings.tryon.memo_entries)
    decoder = _decoder(settings)
    stack.callback(decoder.close)
    random, retention_s = secrets.token_bytes, settings.storage.retention_s
    results = ResultService(store, memo, clock, random, retention_s, link_rules(settings))
    pictures = PictureService(store, decoder, clock, random, retention_s)
    catalogue = Catalogue(store, clock, random)
    local = _local(settings, store, decoder, clock)
    remote = await open_pixazo(settings.pixazo, local, breakers, stack) if has_remote else {}
    models = RoutedModels(hosts, remote)
    paid = ChargedModels(models, budgets, clock)
    inference = InferenceService(models, results, clock, metrics, budgets)
    order = EngineOrder(default, settings.tryon.fallback)
    tryon = TryOnService(registry.engines, order, licensing, pictures, catalogue, inference)
    here = (registry, licensing, database, budgets, breakers, hosts, models, paid, local.desk)
    return _Ground(*here, store, results, pictures, catalogue, inference, tryon, rollouts)


async def _assemble(
    settings: Settings, metrics: Metrics, clock: Clock, stack: AsyncExitStack
) -> Resources:
    ground = await _ground(settings, metrics, clock, stack)
    on, hooks, eraser, doors = await _shared(settings, ground, metrics, clock, stack)
    registry, licensing, models = ground.registry, ground.licensing, ground.models
    default, drawer, paid = settings.tryon.default_engine, registry.drawer, ground.paid
    suits = await _recommending(settings, ground, metrics, clock, stack)
    seen = Watched(models, registry, ground.store, on.book, ground.breakers.states)
    checks = health_checks(settings, seen, licensing, metrics)
    if len(settings.torchserve.inference_url) > 1:
        checks["hosts"] = hosts_check(models, ground.hosts.reachable)
    pictures, catalogue, inference = ground.pictures, ground.catalogue, ground.inference
    return Resources(
        settings=settings,
        registry=registry,
        licensing=licensing,
        bodies_schema=BodiesBody if drawer is None else narrowed(BodiesBody, drawer),
        metrics=metrics,
        models=models,
        callbacks=ground.callbacks,
        store=ground.store,
        admission=Admission(settings.tryon.max_in_flight, metrics.in_flight),
        pictures=pictures,
        results=ground.results,
        tryon=ground.tryon,
        person=PersonService(registry.analyser, licensing, pictures, inference),
        bodies=BodiesService(drawer, licensing, inference),
        catalogue=catalogue,
        garments=GarmentService(registry.engines, default, licensing, pictures, catalogue, paid),
        doors=doors,
        health=HealthService(checks, clock, settings.health.timeout_s),
        erasing=eraser,
        sessions=session_service(on, settings.sessions, eraser.sessions),
        watch=session_watch(on, settings.sessions, settings.http.still_here_s),
        runner=session_runner(on, settings.sessions),
        rollouts=ground.rollouts,
        webhooks=webhooks(hooks, settings.webhooks),
        recommendations=suits,
    )


async def _recommending(
    settings: Settings, ground: _Ground, metrics: Metrics, clock: Clock, stack: AsyncExitStack
) -> RecommendationService:
    told = settings.recommendations
    outsiders = await stack.enter_async_context(open_outsiders(told, ground.breakers, clock))
    return recommendation_service(outsiders, ground.pictures, told, clock, metrics)


async def _shared(
    settings: Settings, ground: _Ground, metrics: Metrics, clock: Clock, stack: AsyncExitStack
) -> tuple[SessionGround, WebhookGround, Erasing, Doors]:
    """What all gateways of a deployment have in common: the database, and word of each other."""
    database, budgets = ground.database, ground.budgets
    heard = open_notices(settings.notices.place(settings.database.address(settings.storage.url)))
    notices = await stack.enter_async_context(heard)
    outgoing = await stack.enter_async_context(_outgoing(settings.webhooks))
    book, lease_s = SqlWebhookBook(database, clock), settings.webhooks.lease_s
    outbox = SqlWebhookOutbox(database, clock, lease_s)
    sessions = _session_ground(settings, ground, metrics, clock, (database, notices))
    beneath = DoorGround(database, clock, ground.breakers, budgets, metrics)
    doors = await open_doors(settings, beneath, stack)
    tells = settings.features.webhooks
    lines, rows = SqlAuditLog(database), SqlEraser(database, clock, tells=tells)
    outside = Outside(rows, lines, ground.models, ground.registry.shown)
    eraser = erasing(sessions, outside, erasing_rules(settings))
    secret = link_rules(settings).secret
    hooks = WebhookGround(book, outbox, outgoing, notices, clock, secret)
    return sessions, hooks, eraser, doors


def _session_ground(
    settings: Settings,
    ground: _Ground,
    metrics: Metrics,
    clock: Clock,
    shared: tuple[Database, Notices],
) -> SessionGround:
    database, notices = shared
    told = settings.sessions
    rules = QueueRules(told.lease_s, told.max_tries, told.per_user)
    return SessionGround(
        book=SqlSessionBook(database, clock, tells=settings.features.webhooks),
        queue=SqlSessionQueue(database, clock, rules, tells=settings.features.webhooks),
        notices=notices,
        store=ground.store,
        models=ground.models,
        engines=ground.registry.engines,
        tryon=ground.tryon,
        pictures=ground.pictures,
        results=ground.results,
        clock=clock,
        metrics=metrics,
    )


def _outgoing(told: WebhookSettings) -> Outgoing:
    return Outgoing(told.timeout_s, told.max_answer_bytes, allow_private=told.allow_private)


def _local(settings: Settings, store: ObjectStore, decoder: ThreadedDecoder, clock: Clock) -> Local:
    """What an engine elsewhere needs of us."""
    rules, ttl_s = link_rules(settings), settings.pixazo.link_ttl_s
    lending = LendingService(store, clock, secrets.token_bytes, rules, ttl_s)
    return Local(rules.public_url, lending, CallbackDesk(), decoder, clock)


def _decoder(settings: Settings) -> ThreadedDecoder:
    uploads = settings.uploads
    return ThreadedDecoder(image_limits(uploads), uploads.decode_workers, uploads.decode_queue)
