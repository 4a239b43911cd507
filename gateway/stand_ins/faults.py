"""What a stand-in is to do wrong with its next requests."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from starlette.responses import JSONResponse, Response, StreamingResponse

_SLOW_PARTS: Final = 8
_INSIDE: Final = "http://169.254.169.254/"  # where clouds keep their secrets
_HUGE_BYTES: Final = 16 << 20
_INTERNAL: Final = "java.lang.NullPointerException at /srv/app/Main.java:17 on 10.2.3.4"


class Fault(StrEnum):
    """What can go wrong with one request."""

    NONE = "none"
    TOO_MANY = "too_many"  # 429, told to come back at once
    TOO_MANY_FOR_LONG = "too_many_for_long"  # 429, told to come back in an hour
    BROKEN = "broken"  # 500, showing its insides
    AWAY = "away"  # 503
    REFUSED = "refused"  # 401
    SILENT = "silent"  # no answer before `Faults.released`
    SLOW = "slow"  # a good answer, byte by byte
    CUT = "cut"  # half a body, then no more
    GARBAGE = "garbage"  # 200, and no JSON
    WRONG_SHAPE = "wrong_shape"  # 200, and other JSON
    HUGE = "huge"  # 200, and no end of it
    REDIRECT = "redirect"


_STATUS: Final = {
    Fault.TOO_MANY: 429,
    Fault.TOO_MANY_FOR_LONG: 429,
    Fault.BROKEN: 500,
    Fault.AWAY: 503,
    Fault.REFUSED: 401,
}


@dataclass
class Faults:
    """A queue of faults; an empty one means `always`, which is usually none.

    Silent answers wait until `released`.
    """

    queue: deque[Fault] = field(default_factory=deque)
    always: Fault = Fault.NONE
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def applied(self, good: Response) -> Response:
        """The good answer, or what the next fault makes of it."""
        fault = self.queue.popleft() if self.queue else self.always
        if fault is Fault.SILENT:
            await self.released.wait()
        return _spoiled(fault, good)


def _spoiled(fault: Fault, good: Response) -> Response:
    body = bytes(good.body)
    made: dict[Fault, Callable[[], Response]] = {
        **dict.fromkeys(_STATUS, lambda: _failed(fault)),
        Fault.SLOW: lambda: StreamingResponse(_slowly(body), media_type=good.media_type),
        Fault.CUT: lambda: StreamingResponse(
            _once(body[: len(body) // 2]), headers={"Content-Length": str(len(body))}
        ),
        Fault.GARBAGE: lambda: Response(b"<html>\xff[[[{" + b"[" * 5000, media_type="text/html"),
        Fault.WRONG_SHAPE: lambda: JSONResponse([{"keywords": 7, "itemSummaries": "none"}]),
        Fault.HUGE: lambda: Response(b" " * _HUGE_BYTES, media_type="application/json"),
        Fault.REDIRECT: lambda: Response(status_code=302, headers={"Location": _INSIDE}),
    }
    return made[fault]() if fault in made else good


def _failed(fault: Fault) -> Response:
    status = _STATUS[fault]
    waits = {Fault.TOO_MANY: "0", Fault.TOO_MANY_FOR_LONG: "3600"}
    headers = {"Retry-After": waits[fault]} if fault in waits else {}
    error = {"error": {"code": status, "message": _INTERNAL, "status": fault.upper()}}
    return JSONResponse(error, status_code=status, headers=headers)


async def _slowly(body: bytes) -> AsyncIterator[bytes]:
    step = len(body) // _SLOW_PARTS + 1
    for at in range(0, len(body), step):
        await asyncio.sleep(0)
        yield body[at : at + step]


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
