"""A session as it goes on: by Server-Sent Events, and by WebSocket."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Response
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from gateway.deps import PUBLIC, Needs, R, resources_of
from gateway.documentation.openapi import errors
from gateway.domain.identity import Scope
from gateway.errors.kinds import Busy, DatabaseFailed, InvalidInput, NotFound
from gateway.errors.limits import WatchersFull
from gateway.errors.tokens import LinkExpired, LinkInvalid, NotPermitted
from gateway.intake.path_ids import AnyId, existing
from gateway.intake.session_headers import known_owner
from gateway.schemas.sessions import events_path, socket_path
from gateway.services.watching import News
from gateway.streams.events import MEDIA_TYPE, EventStream
from gateway.streams.sessions import RETRY, STILL_HERE, Narrator
from gateway.streams.sockets import converse, may_come_from

router = APIRouter(tags=["sessions"], dependencies=[PUBLIC])

_LARGEST: Final = 2**31 - 1
_STREAM: Final = {
    "description": (
        "Events: `state` (SessionStateEvent), `item` (SessionItemEvent), `progress` "
        "(SessionProgressEvent), each with its number as id; `preview` (SessionPreviewEvent); "
        "`gone` when the session is erased."
    ),
    "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
}
_NOTHING_MORE: Final = {"description": "The session has ended, and all of it is known."}
_ERRORS: Final = (
    NotFound,
    InvalidInput,
    LinkExpired,
    LinkInvalid,
    WatchersFull,
    Busy,
    DatabaseFailed,
)

Expires = Annotated[str | None, Query(max_length=12, description="of a link in `urls`")]
Signature = Annotated[str | None, Query(max_length=64, description="of a link in `urls`")]
After = Annotated[
    int,
    Query(
        ge=0,
        le=_LARGEST,
        description="only what came after this event, if there is one",
    ),
]


async def viewer(
    connection: HTTPConnection,
    session_id: AnyId,
    expires: Expires = None,
    signature: Signature = None,
) -> str:
    """The owner in whose name somebody watches: his own token, or a link that was given to him.

    Raises NotFound, LinkInvalid, LinkExpired.
    """
    is_socket = connection.scope["type"] == "websocket"
    if signature is None:
        needed = Scope.TRYON if is_socket else Scope.READ
        owner = known_owner(await Needs(needed)(connection))
        existing(session_id)
        return owner
    sign, r = socket_path if is_socket else events_path, resources_of(connection)
    r.results.check(sign(session_id), expires or "", signature)
    return await r.watch.owner_of(session_id)


Viewer = Annotated[str, Depends(viewer)]


@router.get(
    "/api/v1/tryon/sessions/{session_id}/events",
    response_class=Response,
    responses={200: _STREAM, 204: _NOTHING_MORE, **errors(*_ERRORS)},
)
async def events(
    session_id: AnyId,
    r: R,
    owner: Viewer,
    after: After = 0,
    last_event_id: Annotated[
        str | None, Header(max_length=64, description="outranks `after`")
    ] = None,
) -> Response:
    """Stream all that happens to a session, from its beginning or from behind an event, to its end.

    The stream ends after the last `state`. Whoever reconnects behind it gets 204, which tells an
    EventSource to stop.
    """
    start = after if last_event_id is None else _number(last_event_id)
    begun = await r.watch.look(session_id, owner, start)
    if start > begun.last_event:  # it is no number of this session's
        start, begun = 0, await r.watch.look(session_id, owner)
    if begun.has_ended and start == begun.last_event:
        return Response(status_code=204)
    narrator = Narrator(r.sessions, r.results, session_id, owner)
    news = r.watch.follow(session_id, owner, begun, start)
    return EventStream(RETRY, _told(narrator, news), r.watch.room.one(session_id, owner))


@router.websocket("/ws/tryon/{session_id}")
@router.websocket("/ws/try-on/{session_id}/")
async def talk(
    socket: WebSocket,
    r: R,
    session_id: AnyId,
    expires: Expires = None,
    signature: Signature = None,
    after: After = 0,
) -> None:
    """Tell all that happens to a session as JSON messages; `cancel` and `ping` are understood."""
    if not may_come_from(socket, r.settings.http.cors_origins):
        raise NotPermitted
    owner = await viewer(socket, session_id, expires, signature)
    with r.watch.room.one(session_id, owner):
        begun = await r.watch.look(session_id, owner, after)
        if after > begun.last_event:
            after, begun = 0, await r.watch.look(session_id, owner)
        await socket.accept()
        narrator = Narrator(r.sessions, r.results, session_id, owner)
        news = r.watch.follow(session_id, owner, begun, after)

        async def cancel() -> None:
            await r.sessions.cancel(session_id, owner)

        pause_s = r.settings.http.socket_pause_s
        await converse(socket, news, narrator, cancel, pause_s, r.watch.closing)


async def _told(narrator: Narrator, following: AsyncGenerator[News, None]) -> AsyncGenerator[bytes]:
    async with aclosing(following) as news:
        try:
            async for one in news:
                yield STILL_HERE if one is None else (await narrator.message(one)).as_event()
        except NotFound:
            yield narrator.gone().as_event()


def _number(last_event_id: str) -> int:
    """Behind which event to begin; what is not a number of ours begins at the beginning."""
    is_number = last_event_id.isascii() and last_event_id.isdecimal()
    return min(int(last_event_id), _LARGEST) if is_number else 0
