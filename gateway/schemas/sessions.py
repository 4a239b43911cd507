"""What is answered about sessions over HTTP."""

from datetime import UTC, datetime
from typing import Final

from pydantic import Field, JsonValue

from gateway.domain.sessions import Fault, Item, Kind, Session
from gateway.domain.sessions_lifecycle import State
from gateway.schemas.requests import Strict
from gateway.schemas.webhooks import WebhookResponse
from gateway.services.results import ResultService
from gateway.services.sessions import Page

PATH: Final = "/api/v1/tryon/sessions"
LINK_TTL_S: Final = 900


class StepResponse(Strict):
    """How far an item is: `stage` is the `step`-th of `of`, or came so far itself."""

    stage: str
    step: int
    of: int


class FaultResponse(Strict):
    """Why an item failed, in the words of every error."""

    error_code: str
    message: str
    details: dict[str, JsonValue]


class ItemResponse(Strict):
    """One person in one garment."""

    item: int
    person: int = Field(description="which of the batch's people")
    garment: int = Field(description="which of the batch's garments")
    state: State
    progress: StepResponse | None
    result_urls: list[str] = Field(description="signed links; empty until it is completed")
    links_expire_at: datetime | None
    engine: str | None = Field(description="who served it, once it is completed")
    cached: bool | None
    processing_time_ms: float | None
    metadata: dict[str, JsonValue]
    error: FaultResponse | None


class SessionUrls(Strict):
    """Where to go on; `events` and `socket` need no token, for a quarter of an hour."""

    self: str
    cancel: str
    inputs: str
    events: str
    socket: str


class SessionResponse(Strict):
    """A session as it stands."""

    session_id: str
    state: State
    kind: Kind = Field(
        description="says who goes first: a single try-on in no more steps than its engine's"
        " quickest preset (such as `preset=fast`) is a preview, and starts a minute ahead"
    )
    engine: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime = Field(description="when it is erased with its pictures")
    cancel_at: datetime | None = Field(description="when it ends by itself, if it has not ended")
    queue_position: int | None = Field(
        description="items of its engine that wait before it; 0: none do, or it is being made. Who"
        " has as many in the making as one may is passed by those behind him, for so long"
    )
    estimate_s: float | None = Field(description="seconds until it is done, as far as is known")
    last_event: int = Field(description="the number of the last thing that happened to it")
    items: list[ItemResponse]
    urls: SessionUrls


class AcceptedResponse(SessionResponse):
    """A session that was just made."""

    user_token: str | None = Field(
        description="for a visitor without one: whoever sends it as X-User-Token owns the session"
    )
    webhook: WebhookResponse | None = Field(
        description="the endpoint that `webhook_url` named, with its secret"
    )


class SessionsResponse(Strict):
    """Some of the caller's sessions, the newest first."""

    sessions: list[SessionResponse]
    next_cursor: str | None = Field(
        description="where the next page begins; none: this is the last"
    )


def described(session: Session, results: ResultService) -> SessionResponse:
    """A session, with fresh links to its results."""
    place, url = session.place, f"{PATH}/{session.session_id}"
    return SessionResponse(
        session_id=session.session_id,
        state=session.state,
        kind=session.kind,
        engine=session.engine,
        created_at=_at(session.created_at),
        started_at=_maybe(session.started_at),
        ended_at=_maybe(session.ended_at),
        expires_at=_at(session.expires_at),
        cancel_at=_maybe(session.cancel_at),
        queue_position=None if place is None else place.queue_position,
        estimate_s=None if place is None else place.estimate_s,
        last_event=session.last_event,
        items=[item_described(item, results) for item in session.items],
        urls=SessionUrls(
            self=url,
            cancel=f"{url}/cancel",
            inputs=f"{url}/inputs",
            events=results.signed(events_path(session.session_id), LINK_TTL_S),
            socket=results.signed(socket_path(session.session_id), LINK_TTL_S),
        ),
    )


def page_described(page: Page, results: ResultService) -> SessionsResponse:
    """A page of sessions."""
    return SessionsResponse(
        sessions=[described(session, results) for session in page.sessions],
        next_cursor=None if page.next_cursor is None else str(page.next_cursor),
    )


def events_path(session_id: str) -> str:
    """Where a session's events are streamed; a link to it is signed over this."""
    return f"{PATH}/{session_id}/events"


def socket_path(session_id: str) -> str:
    """Where a session's WebSocket is."""
    return f"/ws/tryon/{session_id}"


def item_described(item: Item, results: ResultService) -> ItemResponse:
    """An item, with fresh links to its results."""
    made, progress = item.outcome, item.progress
    links = None if made is None else results.links(made.result)
    return ItemResponse(
        item=item.position,
        person=item.ask.person,
        garment=item.ask.garment,
        state=item.state,
        progress=None
        if progress is None
        else StepResponse(stage=progress.stage, step=progress.step, of=progress.of),
        result_urls=[] if links is None else list(links.urls),
        links_expire_at=None if links is None else _at(links.expires_at),
        engine=None if made is None else made.engine,
        cached=None if made is None else made.is_cached,
        processing_time_ms=None if made is None else made.processing_time_ms,
        metadata={} if made is None else dict(made.result.metadata),
        error=None if item.fault is None else _fault(item.fault),
    )


def _fault(fault: Fault) -> FaultResponse:
    return FaultResponse(error_code=fault.code, message=fault.message, details=dict(fault.details))


def _at(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)


def _maybe(unix_s: float | None) -> datetime | None:
    return None if unix_s is None else _at(unix_s)
