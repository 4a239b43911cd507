"""Has what is queued made: claims as much as the engines take, keeps the leases, hands them back.

Any number of runners work on one queue. One that dies is found out by its leases, and what it had
is begun again by others; one that is ended gives back what it has not finished.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from gateway.domain import sessions_topics as topics
from gateway.domain.sessions import Claim, ClaimKey
from gateway.errors.kinds import GatewayError
from gateway.services.errands import Errand, Workshop
from gateway.services.openings import Openings, Wanted
from gateway.services.waking import Alarm, alarm_at


@dataclass(frozen=True, slots=True)
class RunnerRules:
    """Pauses in seconds.

    What is being written when the runner ends gets `grace_s` to be written.
    """

    poll_s: float
    beat_s: float
    grace_s: float


class SessionRunner:
    """Runs items where there are openings, under a name that no other runner has."""

    def __init__(self, name: str, shop: Workshop, openings: Openings, rules: RunnerRules) -> None:
        self._name: Final = name
        self._shop = shop
        self._openings = openings
        self._rules = rules
        self._errands: dict[ClaimKey, tuple[Errand, asyncio.Task[None]]] = {}

    @property
    def running(self) -> int:
        """How many items are in hand."""
        return len(self._errands)

    async def run(self) -> None:
        """Work until cancelled, then give back what is not finished."""
        notices, rules = self._shop.notices, self._rules
        try:
            async with (
                alarm_at(notices, topics.QUEUE) as work,
                alarm_at(notices, topics.LEASES) as leases,
                asyncio.TaskGroup() as loops,
            ):
                loops.create_task(self._again(partial(self._fill, work), work, rules.poll_s))
                loops.create_task(self._again(self._beat, leases, rules.beat_s))
                loops.create_task(self._again(self._tidy, Alarm(), rules.poll_s))
        finally:
            await self._put_down()

    async def _again(
        self, step: Callable[[], Awaitable[object]], alarm: Alarm, longest_s: float
    ) -> None:
        """Take a step at every alarm, and every so often; after a fault soon again, then later."""
        patience = self._shop.patience
        pause = patience.first_s
        while True:
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - whatever is away comes back
                known = isinstance(error, GatewayError)
                _log().warning("the runner stumbles", exc_info=None if known else error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, patience.longest_s)
                continue
            pause = patience.first_s
            await alarm.wait(longest_s)

    async def _fill(self, work: Alarm) -> None:
        """Claim as long as there is something to claim, and room to run it."""
        while wanted := self._openings.look(self._at_work()):
            claim = await self._claimed(wanted)
            if claim is None:
                return
            self._start(claim, wanted, work)
            await self._shop.notices.publish(topics.of_session(claim.session_id))

    async def _claimed(self, wanted: Wanted) -> Claim | None:
        """Claim an item; one that is claimed while the runner ends is put down with the others."""
        claiming = asyncio.ensure_future(
            self._shop.queue.claim(self._name, wanted.engines, wanted.instead)
        )
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            with suppress(GatewayError):
                claim = await claiming
                if claim is not None:
                    self._start(claim, wanted, Alarm())
            raise

    def _start(self, claim: Claim, wanted: Wanted, work: Alarm) -> None:
        errand = Errand(claim, wanted.server_of(claim), self._shop)
        task = asyncio.create_task(errand.run())
        self._errands[claim.key] = (errand, task)
        task.add_done_callback(lambda done: self._ended(claim.key, done, work))

    def _ended(self, key: ClaimKey, task: "asyncio.Task[None]", work: Alarm) -> None:
        self._errands.pop(key, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log().error("an errand failed", exc_info=error)
        work.ring()

    def _at_work(self) -> Counter[str]:
        """How many items each engine has in hand here."""
        return Counter(errand.engine for errand, _ in self._errands.values())

    async def _beat(self) -> None:
        """Renew the leases of what is being made; what is lost is dropped."""
        known = set(self._errands)
        if not known:
            return
        held = await self._shop.queue.beat(known)
        for key in known - set(held):
            if key in self._errands:
                self._errands[key][0].drop()

    async def _tidy(self) -> None:
        """End what is over; whoever makes, tells or watches it hears of it at once."""
        ended, notices = await self._shop.queue.tidy(), self._shop.notices
        for session_id in ended:
            await notices.publish(topics.of_session(session_id))
        for topic in (topics.LEASES, topics.OUTBOX) if ended else ():
            await notices.publish(topic)

    async def _put_down(self) -> None:
        """End what is being made and give it back; what is being written is written."""
        errands = list(self._errands.values())
        for errand, task in errands:
            if not errand.is_ending:
                task.cancel()
        if errands:
            await asyncio.wait([task for _, task in errands], timeout=self._rules.grace_s)
        for _, task in errands:
            task.cancel()
        await asyncio.gather(*(task for _, task in errands), return_exceptions=True)
        for errand, task in errands:
            if task.cancelled():
                await self._give_back(errand)

    async def _give_back(self, errand: Errand) -> None:
        claim = errand.claim
        try:
            await self._shop.queue.give_back(claim, 0, errand.tickets.all, is_tried=False)
            await self._shop.notices.publish(topics.QUEUE)
        except GatewayError:
            _log().warning("an item is left to its lease", session_id=claim.session_id)


def _log() -> structlog.stdlib.BoundLogger:
    log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
    return log
