"""Pixazo's hosted try-on behind the Models port: an engine elsewhere, over HTTP.

A try-on costs money, so that none is asked for twice: see `pixazo_orders`. What it points to is
fetched by the guarded client: a public address, in time, to a limit, without our key.
"""

import asyncio
import io
from typing import Final

from PIL import Image
from pydantic import JsonValue

from gateway.adapters.pixazo_orders import STEPS, Order, Reach, Service, called, failed
from gateway.domain.jobs import UNKNOWN, Job, ModelState, Prediction, Progress, Readiness
from gateway.domain.uploads import Upload
from gateway.domain.webhooks import Answer
from gateway.errors.engines import RemoteEngineFailed
from gateway.errors.kinds import GatewayError, StorageFailed, TimedOut
from gateway.ports.models import OnProgress

_STAND_IN: Final = "Made by a stand-in for the remote engine."
_TOLD: Final = ("category", "seed", "steps")


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
        order = Order(self._service, reach, job)
        async with reach.breaker.calling():
            url = await order.picture_url(tell)
            tell(Progress("fetched", STEPS, STEPS))
            fetched = await called(reach.calls, "GET", url, {})
            content, size_px = await self._encoded(fetched, str(job.params["output_format"]))
        seconds = reach.clock.monotonic() - began_s
        return Prediction((content,), self._described(job, size_px, round(seconds * 1000, 1)))

    async def _encoded(self, fetched: Answer, output_format: str) -> tuple[bytes, tuple[int, int]]:
        """The picture in the asked format, decoded as carefully as an upload; and its size."""
        media_type = fetched.headers.get("content-type", "").partition(";")[0].strip()
        try:
            picture = await self._reach.decoder.photo(Upload("result", fetched.body, media_type))
        except StorageFailed:
            raise
        except GatewayError as error:
            raise failed("no_picture") from error
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


def _in_format(png: bytes, output_format: str) -> bytes:
    if output_format == "png":
        return png
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        image.save(buffer, output_format.upper(), quality=92)
    return buffer.getvalue()
