"""Puts the services of sessions together; what they stand on is chosen in `resources`."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.domain.options import Engine
from gateway.domain.sessions_queue import Patience
from gateway.metrics import Metrics
from gateway.ports.clock import Clock
from gateway.ports.models import Models
from gateway.ports.sessions import Notices, SessionBook, SessionQueue
from gateway.ports.storage import ObjectStore
from gateway.services.erasing import SessionEraser
from gateway.services.errands import Workshop
from gateway.services.openings import OpeningRules, Openings
from gateway.services.pictures import PictureService
from gateway.services.results import ResultService
from gateway.services.runner import RunnerRules, SessionRunner
from gateway.services.session_drafts import DraftRules, SessionDrafts
from gateway.services.sessions import SessionRules, SessionService
from gateway.services.tryon import TryOnService
from gateway.services.waking import Closing
from gateway.services.watch_room import WatchPlaces, WatchRoom
from gateway.services.watching import SessionWatch, WatchRules
from gateway.settings.sessions import SessionSettings

_NAME_BYTES = 16


@dataclass(frozen=True, slots=True)
class SessionGround:
    """What the services of sessions stand on."""

    book: SessionBook
    queue: SessionQueue
    notices: Notices
    store: ObjectStore
    models: Models
    engines: Mapping[str, Engine]
    tryon: TryOnService
    pictures: PictureService
    results: ResultService
    clock: Clock
    metrics: Metrics
    closing: Closing = field(default_factory=Closing)


def session_service(
    ground: SessionGround, told: SessionSettings, eraser: SessionEraser
) -> SessionService:
    """What owners use."""
    drafts = SessionDrafts(
        ground.tryon,
        ground.pictures,
        ground.models,
        ground.clock,
        secrets.token_bytes,
        DraftRules(told.retention_s, told.max_items),
    )
    rules = SessionRules(told.repeat_s, told.poll_s)
    return SessionService(ground.book, drafts, ground.notices, ground.clock, rules, eraser)


def session_watch(ground: SessionGround, told: SessionSettings, silence_s: float) -> SessionWatch:
    """What watchers use; nobody is left without a word for `silence_s` seconds."""
    rules = WatchRules(told.poll_s, silence_s)
    places = WatchPlaces(told.max_watchers, told.watchers_per_user, told.watchers_per_session)
    room = WatchRoom(places, ground.metrics.watchers)
    return SessionWatch(ground.book, ground.notices, rules, room, ground.closing)


def session_runner(ground: SessionGround, told: SessionSettings) -> SessionRunner:
    """What has the queue made, under a new name."""
    shop = Workshop(
        queue=ground.queue,
        tryon=ground.tryon,
        results=ground.results,
        notices=ground.notices,
        metrics=ground.metrics,
        now=ground.clock.now,
        patience=Patience(told.max_tries, told.retry_first_s, told.retry_longest_s),
        progress_s=told.progress_s,
        fallback_after_s=told.fallback_after_s,
    )
    openings = Openings(
        ground.models,
        ground.engines,
        ground.tryon.instead_of,
        ground.clock,
        OpeningRules(told.per_engine, told.fallback_after_s),
    )
    rules = RunnerRules(told.poll_s, told.beat_s, told.grace_s)
    return SessionRunner(secrets.token_hex(_NAME_BYTES), shop, openings, rules)
