"""Pixazo's hosted try-on behind the Models port: an engine elsewhere, over HTTP.

It is shown the photos by links that live for minutes, and calls back when it is done; should the
call not come, it is asked. A try-on costs money, so none is asked for twice. What it points to is
fetched by the guarded client: a public address, in time, to a limit, without our key.
"""

import asyncio
import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from PIL import Image
from pydantic import JsonValue

from gateway.adapters.breaker import Breaker
from gateway.adapters.callbacks import CallbackDesk, Expected
from gateway.domain import pixazo
from gateway.domain.jobs import UNKNOWN, Job, ModelState, Prediction, Progress, Readiness
from gateway.domain.pixazo import NotUnderstood, Phase, Told
from gateway.domain.uploads import Upload
from gateway.domain.webhooks import Answer, Unreachable
from gateway.errors.engines import RemoteEngineFailed
from gateway.errors.kinds import GatewayError, InferenceFailed, StorageFailed, TimedOut
from gateway.ports.clock import Clock
from gateway.ports.engines import Lending
from gateway.ports.models import OnProgress
from gateway.ports.pictures import PictureDecoder
from gateway.ports.webhooks import OutgoingCalls

CALLBACK_PATH: Final = "/api/v1/engines/pixazo/callback/"
_REASONS: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "key_refused",
    HTTPStatus.PAYMENT_REQUIRED: "no_credit",
    HTTPStatus.FORBIDDEN: "key_refused",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many_requests",
}
_LONGEST_RETRY_S: Final = 3600
_STEPS: Final = 3
_STAND_IN: Final = "Made by a stand-in for the remote engine."
_TOLD: Final = ("category", "seed", "steps")


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


def is_outage(error: Exception) -> bool:
    """Whether a failure is the service's, and not that of one request."""
    return isinstance(error, RemoteEngineFailed | TimedOut)


class PixazoModels:
    """Implements the Models port for the one model it has."""

    def __init__(self, service: Service, reach: Reach) -> None:
        self._service = service
        self._reach = reach

    def state(self, model: str) -> ModelState:  # noqa: ARG002 - it has but one
        """Ready for so many at once, unless its circuit is open."""
        room = self._service.max_concurrent
        ready = ModelState(Readiness.READY, ready_workers=room, workers=room)
        return ready if self._reach.breaker.admits else UNKNOWN

    def version_for(self, model: str, request_id: str) -> str | None:  # noqa: ARG002
        """Nobody knows which version is served elsewhere."""
        return None

    async def refresh(self) -> None:
        """There is nothing to look at that would not cost money."""

    async def predict(self, job: Job, on_progress: OnProgress | None = None) -> Prediction:
        """Have one person dressed; raises RemoteEngineFailed, TimedOut, Busy or InferenceFailed."""
        tell, reach = on_progress or _nobody, self._reach
        began_s = reach.clock.monotonic()
        photos = (job.images["person_image"], job.images["garment_image"])
        lent = reach.lending.lent(*photos, place=job.place)
        async with reach.breaker.calling(), lent as (person, garment):
            tell(Progress("asked", 1, _STEPS))
            with reach.desk.expecting() as reply:
                url = await self._made(pixazo.body(job.params, person, garment), reply, tell)
            tell(Progress("fetched", _STEPS, _STEPS))
            fetched = await self._call("GET", url, {})
            content, size_px = await self._encoded(fetched, str(job.params["output_format"]))
        seconds = reach.clock.monotonic() - began_s
        return Prediction((content,), self._described(job, size_px, round(seconds * 1000, 1)))

    async def _made(self, body: bytes, reply: Expected, tell: OnProgress) -> str:
        """Where the picture is, once there is one."""
        service = self._service
        headers = {
            pixazo.KEY_HEADER: service.key,
            pixazo.WEBHOOK_HEADER: service.callback_url + reply.token,
            "Content-Type": "application/json",
            "Cache-Control": "no-cache",
        }
        answer = await self._call("POST", service.url + service.path, headers, body)
        told = _read(answer.body)
        if told.phase is Phase.PENDING:
            tell(Progress("in_work", 2, _STEPS))
            told = await self._ended(told, reply)
        if told.phase is Phase.FAILED:
            raise InferenceFailed("The remote engine failed on this request.")
        return told.url

    async def _ended(self, told: Told, reply: Expected) -> Told:
        """Wait for the call back, and ask now and then, as it may get lost."""
        request_id = told.request_id
        while told.phase is Phase.PENDING:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._service.poll_s):
                    return _read(await asyncio.shield(reply.content))
            told = await self._asked_again(request_id)
        return told

    async def _asked_again(self, request_id: str) -> Told:
        """How far it is; what cannot be found out now may be found out later."""
        url = self._service.url + pixazo.status_path(request_id)
        try:
            answer = await self._call("GET", url, {pixazo.KEY_HEADER: self._service.key})
        except RemoteEngineFailed:
            return Told(Phase.PENDING, request_id)
        return _read(answer.body)

    async def _call(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b""
    ) -> Answer:
        try:
            answer = await self._reach.calls.call(method, url, headers, content)
        except Unreachable as error:
            raise _failed("unreachable") from error
        if answer.status in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
            return answer
        raise _refused(answer)

    async def _encoded(self, fetched: Answer, output_format: str) -> tuple[bytes, tuple[int, int]]:
        """The picture in the asked format, decoded as carefully as an upload; and its size."""
        media_type = fetched.headers.get("content-type", "").partition(";")[0].strip()
        try:
            picture = await self._reach.decoder.photo(Upload("result", fetched.body, media_type))
        except StorageFailed:
            raise
        except GatewayError as error:
            raise _failed("no_picture") from error
        size_px = (picture.width_px, picture.height_px)
        return await asyncio.to_thread(_in_format, picture.png, output_format), size_px

    def _described(self, job: Job, size_px: tuple[int, int], ms: float) -> dict[str, JsonValue]:
        kept = {name: job.params[name] for name in _TOLD if name in job.params}
        stand_in: dict[str, JsonValue] = {"code": "stand_in", "message": _STAND_IN}
        return {
            **kept,
            "engine": "pixazo",
            "model": "stand-in" if self._service.is_stand_in else "pixazo",
            "width_px": size_px[0],
            "height_px": size_px[1],
            "output_format": job.params["output_format"],
            "remote": True,
            "stage_ms": {"remote": ms},
            "warnings": [stand_in] if self._service.is_stand_in else [],
        }


def _nobody(progress: Progress) -> None:
    """Hear nothing."""


def _read(content: bytes) -> Told:
    try:
        return pixazo.read(content)
    except NotUnderstood as error:
        raise _failed("not_understood") from error


def _failed(reason: str, retry_after: str = "") -> RemoteEngineFailed:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return RemoteEngineFailed(details={"service": "pixazo", "reason": reason}, headers=headers)


def _refused(answer: Answer) -> GatewayError:
    """What a status means; the service's own words are not shown."""
    if answer.status in _REASONS:
        after = answer.headers.get("retry-after", "")
        is_plain = after.isascii() and after.isdecimal() and int(after) <= _LONGEST_RETRY_S
        return _failed(_REASONS[answer.status], after if is_plain else "")
    if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return InferenceFailed("The remote engine refuses this request.")
    return _failed("failed")


def _in_format(png: bytes, output_format: str) -> bytes:
    if output_format == "png":
        return png
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        image.save(buffer, output_format.upper(), quality=92)
    return buffer.getvalue()
