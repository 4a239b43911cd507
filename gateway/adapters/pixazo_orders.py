"""What is asked of Pixazo for one picture: once, whoever begins the work again.

A ticket is written down before it is asked, and again with what it answers, so that whoever takes
the work over waits for what was asked instead of asking, and paying, again. It is shown the photos
by links that live for minutes, and calls back when it is done; should the call not come, it is
asked how far it is.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx
import structlog

from gateway.adapters.breaker import Breaker
from gateway.adapters.callbacks import CallbackDesk, Expected
from gateway.domain import pixazo
from gateway.domain.jobs import Job, Progress
from gateway.domain.pixazo import NotUnderstood, Phase, Ticket, Told
from gateway.domain.webhooks import Answer, Unreachable
from gateway.errors.engines import RemoteEngineAway, RemoteEngineFailed
from gateway.errors.kinds import DatabaseFailed, GatewayError, InferenceFailed
from gateway.ports.clock import Clock
from gateway.ports.engines import Lending
from gateway.ports.models import OnProgress
from gateway.ports.pictures import PictureDecoder
from gateway.ports.webhooks import OutgoingCalls

STEPS: Final = 3
_REASONS: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "key_refused",
    HTTPStatus.PAYMENT_REQUIRED: "no_credit",
    HTTPStatus.FORBIDDEN: "key_refused",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many_requests",
}
_TAKEN: Final = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED})
_UNSURE: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""Said by what stands before the service, which may have taken the request."""
_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout)
_LONGEST_RETRY_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Service:
    """Where the service is, its key, where it calls back, and how long to pause, in seconds.

    It is asked for `max_concurrent` pictures at once.
    """

    url: str
    path: str
    key: str
    callback_url: str
    poll_s: float
    is_stand_in: bool
    max_concurrent: int


@dataclass(frozen=True, slots=True)
class Reach:
    """How the service is reached, and what it is lent."""

    calls: OutgoingCalls
    breaker: Breaker
    desk: CallbackDesk
    lending: Lending
    decoder: PictureDecoder
    clock: Clock


class Order:
    """One picture that is asked for; raises RemoteEngineFailed where its ticket tells nothing."""

    def __init__(self, service: Service, reach: Reach, job: Job) -> None:
        self._service = service
        self._reach = reach
        self._job = job
        known = job.tickets.known(job.model) if job.tickets else ""
        self._ticket = Ticket.parse(known)
        if self._ticket == Ticket():
            raise failed("outcome_unknown")

    async def picture_url(self, tell: OnProgress) -> str:
        """Where the picture is, once there is one; asked for unless it was before."""
        ticket = self._ticket
        if ticket is None:
            return await self._asked(tell)
        return ticket.url or await self._awaited(ticket.request_id, tell)

    async def _asked(self, tell: OnProgress) -> str:
        job, reach = self._job, self._reach
        photos = (job.images["person_image"], job.images["garment_image"])
        lent = reach.lending.lent(*photos, place=job.place, stands=self._stands)
        async with lent as (person, garment):
            tell(Progress("asked", 1, STEPS))
            with reach.desk.expecting() as reply:
                await self._keep(Ticket())
                body = pixazo.body(job.params, person, garment)
                told = _read((await self._posted(body, reply)).body)
                if told.phase is Phase.PENDING:
                    await self._note(Ticket(told.request_id))
                    tell(Progress("in_work", 2, STEPS))
                    return await self._made(told.request_id, await self._end(told, reply))
            return await self._made("", told)

    def _stands(self) -> bool:
        """Whether it was taken, so that whoever goes on waits for it: it may fetch photos yet."""
        tickets = self._job.tickets
        ticket = Ticket.parse(tickets.known(self._job.model)) if tickets else None
        return ticket is not None and bool(ticket.request_id)

    async def _awaited(self, request_id: str, tell: OnProgress) -> str:
        """Wait for what somebody asked for who is gone: no call comes here any more."""
        tell(Progress("in_work", 2, STEPS))
        told = await self._asked_again(request_id)
        with self._reach.desk.expecting() as reply:
            return await self._made(request_id, await self._end(told, reply))

    async def _made(self, request_id: str, told: Told) -> str:
        if told.phase is Phase.FAILED:
            raise InferenceFailed("The remote engine failed on this request.")
        await self._note(Ticket(request_id, told.url))
        return told.url

    async def _posted(self, body: bytes, reply: Expected) -> Answer:
        """What it answers; the ticket is void where it certainly did not take the request."""
        service = self._service
        headers = {
            pixazo.KEY_HEADER: service.key,
            pixazo.WEBHOOK_HEADER: service.callback_url + reply.token,
            "Content-Type": "application/json",
            "Cache-Control": "no-cache",
        }
        url = service.url + service.path
        try:
            answer = await self._reach.calls.call("POST", url, headers, body)
        except Unreachable as error:
            if not isinstance(error.__cause__, _UNSENT):
                raise failed("unreachable") from error
            await self._keep(None)
            raise _away(failed("unreachable")) from error
        if answer.status in _TAKEN | _UNSURE:
            return _taken(answer)
        await self._keep(None)
        refused = _refused(answer)
        raise _away(refused) if _is_passing(answer.status) else refused

    async def _end(self, told: Told, reply: Expected) -> Told:
        """Wait for the call back, and ask now and then, as it may get lost."""
        request_id = told.request_id
        while told.phase is Phase.PENDING:
            told = await self._called_back(reply) or await self._asked_again(request_id)
        return told

    async def _called_back(self, reply: Expected) -> Told | None:
        """The end, as it is called back; None if it does not come before it is time to ask."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._service.poll_s):
                while True:
                    content = await reply.calls.get()
                    with suppress(NotUnderstood):
                        told = pixazo.read(content)
                        if told.phase is not Phase.PENDING:
                            return told
        return None

    async def _asked_again(self, request_id: str) -> Told:
        """How far it is; what cannot be found out now may be found out later."""
        url = self._service.url + pixazo.status_path(request_id)
        try:
            key = {pixazo.KEY_HEADER: self._service.key}
            told = _read((await called(self._reach.calls, "GET", url, key)).body)
        except RemoteEngineFailed:
            return Told(Phase.PENDING, request_id)
        return Told(Phase.PENDING, request_id) if told.phase is Phase.PENDING else told

    async def _keep(self, ticket: Ticket | None) -> None:
        """Write a ticket down, or that there is none; raises DatabaseFailed."""
        if self._job.tickets is not None:
            await self._job.tickets.keep(self._job.model, "" if ticket is None else str(ticket))

    async def _note(self, ticket: Ticket) -> None:
        """Write it down, if that can be done now: it is not lost, and what was taken goes on."""
        try:
            await self._keep(ticket)
        except DatabaseFailed:
            structlog.get_logger(__name__).warning("a ticket is not written", exc_info=True)


async def called(calls: OutgoingCalls, method: str, url: str, headers: Mapping[str, str]) -> Answer:
    """The answer to a call that is well; raises RemoteEngineFailed or InferenceFailed."""
    try:
        return _taken(await calls.call(method, url, headers))
    except Unreachable as error:
        raise failed("unreachable") from error


def failed(reason: str, retry_after: str = "") -> RemoteEngineFailed:
    """The service does not answer, or not as it should."""
    headers = {"Retry-After": retry_after} if retry_after else {}
    return RemoteEngineFailed(details={"service": "pixazo", "reason": reason}, headers=headers)


def _away(error: GatewayError) -> RemoteEngineAway:
    return RemoteEngineAway(details=error.details, headers=error.headers)


def _is_passing(status: int) -> bool:
    """Whether whoever refuses so may take the same request later."""
    is_theirs = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return is_theirs or status == HTTPStatus.TOO_MANY_REQUESTS


def _taken(answer: Answer) -> Answer:
    if answer.status in _TAKEN:
        return answer
    raise _refused(answer)


def _read(content: bytes) -> Told:
    try:
        return pixazo.read(content)
    except NotUnderstood as error:
        raise failed("not_understood") from error


def _refused(answer: Answer) -> GatewayError:
    """What a status means; the service's own words are not shown."""
    after = answer.headers.get("retry-after", "")
    is_plain = after.isascii() and after.isdecimal() and int(after) <= _LONGEST_RETRY_S
    retry_after = after if is_plain else ""
    if answer.status in _REASONS:
        return failed(_REASONS[answer.status], retry_after)
    if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return InferenceFailed("The remote engine refuses this request.")
    return failed("failed", retry_after)
