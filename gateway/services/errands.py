"""One item of a session, being made: asked of the engine, told of, written down, or let go."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog

from gateway.domain import sessions_topics as topics
from gateway.domain.jobs import Progress
from gateway.domain.results import StoredResult
from gateway.domain.sessions import Claim, Fault, Kind, Outcome
from gateway.domain.sessions_glimpses import Glimpse
from gateway.domain.sessions_queue import Patience, is_tried, pause_s
from gateway.errors.kinds import (
    DatabaseFailed,
    DatabaseRefused,
    GatewayError,
    Internal,
    NotFound,
    StorageFailed,
)
from gateway.metrics import Metrics
from gateway.ports.sessions import Notices, SessionQueue
from gateway.services.pictures import StoredReference
from gateway.services.results import ResultService
from gateway.services.session_drafts import DENSEPOSE, GARMENT, MASK, PERSON
from gateway.services.single_flight import has_result
from gateway.services.tickets import ItemTickets
from gateway.services.tryon import TryOnRequest, TryOnService

_SOONEST_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Workshop:
    """What it takes to make an item.

    One that is older than `fallback_after_s` and was given back waits no more for its engine alone.
    """

    queue: SessionQueue
    tryon: TryOnService
    results: ResultService
    notices: Notices
    metrics: Metrics
    now: Callable[[], float]
    patience: Patience
    progress_s: float
    fallback_after_s: float


class Errand:
    """A claim that is being run; `is_ending` from when its outcome is being written down.

    `engine` is who is to serve it: another one may only where it is not the asked one, or fails.
    """

    def __init__(self, claim: Claim, engine: str, shop: Workshop) -> None:
        self.claim: Final = claim
        self.engine: Final = engine
        self.tickets: Final = ItemTickets(claim, shop.queue)
        self.is_ending = False
        self._shop = shop
        self._latest: Progress | None = None
        self._preview: Progress | None = None
        self._news = asyncio.Event()
        self._making: asyncio.Task[Outcome] | None = None

    async def run(self) -> None:
        """Make the item and end it; cancelled, it leaves the item as it is."""
        claim = self.claim
        structlog.contextvars.bind_contextvars(
            request_id=claim.request_id, session_id=claim.session_id, item=claim.position
        )
        self._making = asyncio.create_task(self._make())
        telling = asyncio.create_task(self._tell())
        try:
            await asyncio.wait({self._making})
        except asyncio.CancelledError:
            if has_result(self._making):
                await self._discard(self._making.result().result)
            raise
        finally:
            self._making.cancel()
            telling.cancel()
            await asyncio.gather(self._making, telling, return_exceptions=True)
        if self._making.cancelled():
            return
        self.is_ending = True
        await self._end(self._making)

    def drop(self) -> None:
        """Stop making an item that is somebody else's by now, or nobody's."""
        if self._making is not None and not self.is_ending:
            self._making.cancel()

    async def _make(self) -> Outcome:
        """Have the engine dress the person; the pictures of the outcome are the session's own."""
        claim, shop = self.claim, self._shop
        answer = await shop.tryon.run(self._asked(), self._hear)
        result = answer.result
        if answer.is_cached:
            try:
                result = await shop.results.copy(result, claim.keeping)
            except NotFound:  # whose it was has erased it meanwhile: nothing is wrong with the item
                shop.results.forget(result.names)
                raise StorageFailed from None
        served = answer.engine.name
        return Outcome(result, answer.is_cached, answer.processing_time_ms, served)

    def _asked(self) -> TryOnRequest:
        claim, now = self.claim, self._shop.now()
        was_patient = claim.bounces > 0 and now - claim.created_at >= self._shop.fallback_after_s
        waits = self.engine == claim.engine and not was_patient
        return replace(_asked(claim, now), waits=waits, tickets=self.tickets)

    def _hear(self, progress: Progress) -> None:
        if progress.preview is None:
            self._latest = progress
        else:
            self._preview = progress
        self._news.set()

    async def _tell(self) -> None:
        """Write down how far it is, now and then; what cannot be written is left out."""
        while True:
            await self._news.wait()
            self._news.clear()
            latest, self._latest = self._latest, None
            try:
                if latest and not await self._shop.queue.progress(self.claim, latest):
                    self.drop()
                    return
                await self._wake_watchers()
                await self._show()
            except GatewayError as error:
                _log().info("progress is not written", error_code=error.code)
            except Exception:  # noqa: BLE001 - the item goes on, and so does its progress
                _log().exception("progress is not written")
            await asyncio.sleep(self._shop.progress_s)

    async def _show(self) -> None:
        """Let whoever watches see the latest preview."""
        seen, self._preview = self._preview, None
        if seen is None or seen.preview is None:
            return
        claim = self.claim
        glimpse = Glimpse(claim.position, seen.step, seen.of, seen.preview)
        topic = topics.glimpses_of(claim.session_id)
        await self._shop.notices.show(topic, glimpse.pack())

    async def _end(self, made: "asyncio.Task[Outcome]") -> None:
        error = made.exception()
        if error is None:
            await self._complete(made.result())
            return
        known = error if isinstance(error, GatewayError) else Internal()
        _log().warning("an item failed", error_code=known.code, exc_info=error)
        claim = self.claim
        wait_s = pause_s(known, claim.tries, claim.bounces, self._shop.patience)
        if wait_s is None:
            await self._fail(known)
            return
        give_back, counts = self._shop.queue.give_back, is_tried(known)
        back = partial(give_back, claim, wait_s, self.tickets.all, is_tried=counts)
        await self._written(back)
        self._count("given_back")

    async def _complete(self, outcome: Outcome) -> None:
        try:
            is_ours = await self._written(partial(self._shop.queue.complete, self.claim, outcome))
        except DatabaseRefused as refused:
            _log().exception("an outcome cannot be written")
            await self._discard(outcome.result)
            await self._fail(refused)
            return
        if not is_ours:
            await self._discard(outcome.result)
        self._count("completed")

    async def _fail(self, error: GatewayError) -> None:
        fail, fault = self._shop.queue.fail, Fault(error.code, error.message, error.details)
        try:
            await self._written(partial(fail, self.claim, fault))
        except DatabaseRefused:
            _log().exception("details of a fault cannot be written")
            plain = Fault(error.code, error.default_message, {})
            await self._written(partial(fail, self.claim, plain))
        self._count("failed")

    async def _written(self, write: Callable[[], Awaitable[bool]]) -> bool:
        """Write it down as soon as the database takes it; whether the item was still ours.

        Raises DatabaseRefused where it never will.
        """
        pause = self._shop.patience.first_s
        while True:
            try:
                is_ours = await write()
                break
            except DatabaseRefused:
                raise
            except DatabaseFailed:
                _log().warning("the database is away", exc_info=True)
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._shop.patience.longest_s)
        await self._wake_watchers()
        await self._shop.notices.publish(topics.OUTBOX)
        return is_ours

    async def _discard(self, result: StoredResult) -> None:
        """Erase pictures that are nobody's; what remains is erased at its expiry."""
        try:
            await self._shop.results.erase(result)
        except GatewayError as error:
            _log().warning("pictures of nobody are left", error_code=error.code)

    async def _wake_watchers(self) -> None:
        await self._shop.notices.publish(topics.of_session(self.claim.session_id))

    def _count(self, outcome: str) -> None:
        self._shop.metrics.session_items.labels(self.claim.engine, outcome).inc()


def _asked(claim: Claim, now: float) -> TryOnRequest:
    """An item as a try-on; a deadline runs from when the session was made."""
    given = dict(claim.ask.given)
    within_s = given.get("deadline_s")
    if isinstance(within_s, int | float):
        given["deadline_s"] = max(within_s - (now - claim.created_at), _SOONEST_S)
    stored = {name: StoredReference(name, key) for name, key in claim.ask.pictures.items()}
    return TryOnRequest(
        person=stored[PERSON],
        garment=stored[GARMENT],
        mask=stored.get(MASK),
        densepose=stored.get(DENSEPOSE),
        engine=claim.engine,
        given=given,
        request_id=claim.request_id,
        caller=claim.owner,
        payer=claim.payer,
        # Of one that is not a batch the worker knows by its steps whether it is a preview.
        kind=claim.kind if claim.kind is not Kind.STANDARD else None,
        keeping=claim.keeping,
    )


def _log() -> structlog.stdlib.BoundLogger:
    log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
    return log
