"""An answer as a stream of Server-Sent Events: how the work gets on, then its result or its error.

`progress` and `preview` come as often as there is something to tell, then exactly one `result`,
which is the plain answer's JSON, or one `error`, which has the shape of every error. What fails
before there is anything to tell is a plain error answer with its own status.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.domain.jobs import Progress
from gateway.ports.models import OnProgress
from gateway.responses import as_gateway_error, error_body, log_error, safe_json
from gateway.schemas.requests import Strict
from gateway.streams.presence import while_there

MEDIA_TYPE: Final = "text/event-stream"
_STILL_HERE: Final = b": still here\n\n"
_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Vary": "Accept",
    "X-Accel-Buffering": "no",  # or nginx keeps the events until the end
}

Work = Callable[[OnProgress], Coroutine[Any, Any, BaseModel]]


class ProgressEvent(Strict):
    """How far it is: `stage` is the `step`-th of `of`, or came so far itself."""

    stage: str
    step: int
    of: int
    queue_position: int | None = Field(description="how many come before; 0: none")
    estimate_s: float | None = Field(description="seconds until it is done")

    @classmethod
    def told(cls, progress: Progress) -> bytes:
        """The event of some progress."""
        return event(
            "progress",
            cls(
                stage=progress.stage,
                step=progress.step,
                of=progress.of,
                queue_position=progress.queue_position,
                estimate_s=progress.estimate_s,
            ),
        )


class PreviewEvent(Strict):
    """A small picture of what the result is to be."""

    step: int
    of: int
    image: str = Field(description="a JPEG as a data URL")

    @classmethod
    def told(cls, progress: Progress, picture: bytes) -> bytes:
        """The event of a preview."""
        url = f"data:image/jpeg;base64,{b64encode(picture).decode('ascii')}"
        return event("preview", cls(step=progress.step, of=progress.of, image=url))


def event(name: str, data: BaseModel | Mapping[str, Any]) -> bytes:
    """One event; JSON has no line break that could end it."""
    content = data.model_dump(mode="json") if isinstance(data, BaseModel) else data
    return b"event: %b\ndata: %b\n\n" % (name.encode(), safe_json(content))


async def events_of(work: Work, still_here_s: float) -> AsyncGenerator[bytes]:
    """The events of some work, its result the last; raises what the work does.

    When there was nothing to tell for `still_here_s` seconds, a comment says so. Closed, it
    cancels the work.
    """
    news: asyncio.Queue[Progress | None] = asyncio.Queue()
    doing = asyncio.create_task(work(news.put_nowait))
    doing.add_done_callback(lambda _: news.put_nowait(None))
    try:
        while not doing.done() or not news.empty():
            try:
                async with asyncio.timeout(still_here_s):
                    progress = await news.get()
            except TimeoutError:
                yield _STILL_HERE
                continue
            if progress is not None:
                yield _told(progress)
        yield event("result", doing.result())
    finally:
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)


def _told(progress: Progress) -> bytes:
    if progress.preview is None:
        return ProgressEvent.told(progress)
    return PreviewEvent.told(progress, progress.preview)


class EventStream(Response):
    """Events, sent as they come; what the caller `held` is let go at the end."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        first: bytes,
        rest: AsyncGenerator[bytes],
        held: AbstractContextManager[object],
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._first = first
        self._rest = rest
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end; raises ClientDisconnect when the caller is gone before."""
        with self._held:
            try:
                await while_there(receive, self._pour(scope["request_id"], send))
            finally:
                await self._rest.aclose()

    async def _pour(self, request_id: str, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        await _send(send, self._first)
        try:
            async for one in self._rest:
                await _send(send, one)
        except Exception as error:  # noqa: BLE001 - whatever it was, the caller is told
            translated = as_gateway_error(error)
            log_error(translated, error)
            await _send(send, event("error", error_body(translated, request_id)))
        await _send(send, b"", more=False)


async def _send(send: Send, content: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": more})
