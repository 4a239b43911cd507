"""Delivers messages to endpoints, several at once, until it is told to end."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final

import structlog

from gateway.domain import sessions_topics as topics
from gateway.domain.webhooks import (
    Errand,
    Shares,
    Tried,
    Unreachable,
    in_force,
    outcome,
    pause_s,
    signed_headers,
)
from gateway.errors.kinds import DatabaseFailed
from gateway.ports.clock import Clock
from gateway.ports.sessions import Notices
from gateway.ports.webhooks import OutgoingCalls, WebhookOutbox
from gateway.services.waking import Alarm, alarm_at

TOPIC: Final = topics.OUTBOX


class WebhookDeliverer:
    """Takes messages that are due, and tries each once; the outbox knows when to come back."""

    def __init__(
        self,
        outbox: WebhookOutbox,
        outgoing: OutgoingCalls,
        notices: Notices,
        clock: Clock,
        spread: Callable[[], float],
        shares: Shares,
    ) -> None:
        self._outbox = outbox
        self._outgoing = outgoing
        self._notices = notices
        self._clock = clock
        self._spread = spread
        self._shares = shares

    async def run(self, poll_s: float) -> None:
        """Deliver for ever: whenever a notice comes, and every `poll_s` seconds at least.

        Whatever goes wrong is logged, and looked at again with the next poll.
        """
        under_way: dict[asyncio.Task[None], Errand] = {}
        async with alarm_at(self._notices, TOPIC) as alarm, asyncio.TaskGroup() as group:
            while True:
                if not await self._start(group, under_way, alarm):
                    await alarm.wait(poll_s)

    async def deliver_due(self) -> int:
        """Try what is due now, once each; how many there were."""
        errands = await self._outbox.take(self._shares)
        await asyncio.gather(*map(self.deliver, errands))
        return len(errands)

    async def deliver(self, errand: Errand) -> None:
        """Try one message, and write down what came of it."""
        log = _log().bind(message_id=errand.message_id)
        try:
            tried = await self._try(errand)
        except Exception:
            log.exception("a webhook cannot be sent")
            tried = self._failed(errand, "not sent")
        try:
            await self._outbox.settle(errand, tried)
        except DatabaseFailed:
            pass  # its time comes again
        except Exception:
            log.exception("what came of a webhook cannot be written down")
        if not tried.is_accepted:
            log.info(
                "webhook not delivered",
                tries=errand.tries + 1,
                status=tried.status,
                error=tried.error,
            )

    async def _start(
        self, group: asyncio.TaskGroup, under_way: dict[asyncio.Task[None], Errand], alarm: Alarm
    ) -> bool:
        """Begin as many as there is room for; whether there was anything to begin."""
        if len(under_way) >= self._shares.at_once:
            return False
        errands = await self._due(under_way.values())
        for errand in errands:
            task = group.create_task(self.deliver(errand))
            under_way[task] = errand
            task.add_done_callback(under_way.pop)
            task.add_done_callback(lambda _: alarm.ring())
        return bool(errands)

    async def _due(self, under_way: Collection[Errand]) -> Sequence[Errand]:
        try:
            return await self._outbox.take(self._shares, tuple(under_way))
        except DatabaseFailed:
            return ()
        except Exception:  # noqa: BLE001 - the next look may succeed
            _log().exception("webhooks that are due cannot be taken")
            return ()

    async def _try(self, errand: Errand) -> Tried:
        now = self._clock.now()
        body = errand.body.encode()
        secrets = in_force(errand.secrets, now)
        if not secrets:  # sealed by a deployment's secret that has been replaced
            return self._failed(errand, "no secret")
        headers = signed_headers(secrets, errand.message_id, int(now), body)
        headers["Content-Type"] = "application/json"
        try:
            answer = await self._outgoing.call("POST", errand.url, headers, body)
        except Unreachable as error:
            return self._failed(errand, str(error))
        return outcome(answer.status, errand.tries + 1, self._spread())

    def _failed(self, errand: Errand, error: str) -> Tried:
        wait_s = pause_s(errand.tries + 1, self._spread())
        return Tried(is_accepted=False, error=error, wait_s=wait_s)


def _log() -> structlog.stdlib.BoundLogger:
    log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
    return log
