"""/api/v1/tryon/sessions: try-ons that are accepted at once, and made whatever dies meanwhile."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response

from gateway.deps import R, needs
from gateway.documentation.openapi import (
    BATCH_BODY,
    BODY_ERRORS,
    PICTURE_ERRORS,
    TRYON_BODY,
    errors,
)
from gateway.domain.identity import Caller, Scope
from gateway.domain.sessions import Created, Cursor, Session
from gateway.domain.sessions_lifecycle import State
from gateway.domain.webhooks import Endpoint
from gateway.errors.features import SwitchedOff
from gateway.errors.kinds import (
    Conflict,
    DatabaseFailed,
    GatewayError,
    InvalidInput,
    NotDeployed,
    NotFound,
    NotLicensed,
    StorageFailed,
)
from gateway.errors.limits import BudgetSpent, SessionsFull
from gateway.intake.batches import Batch, read_batch
from gateway.intake.credentials import USER_TOKEN
from gateway.intake.path_ids import PathId
from gateway.intake.session_headers import (
    APPLIED,
    REPLAYED,
    SessionHeaders,
    known_owner,
    session_headers,
)
from gateway.intake.tryon import read_tryon
from gateway.middleware.limiting import count_items
from gateway.resources import Resources
from gateway.schemas.receipts import ReceiptResponse, visitor_of
from gateway.schemas.sessions import (
    AcceptedResponse,
    SessionResponse,
    SessionsResponse,
    described,
    page_described,
)
from gateway.schemas.webhooks import webhook_described
from gateway.services.session_drafts import SessionRequest, Wearer, Worn
from gateway.streams.presence import while_there

router = APIRouter(prefix="/api/v1/tryon", tags=["sessions"])

Owner = Annotated[Caller, needs(Scope.READ)]
Maker = Annotated[Caller, needs(Scope.TRYON)]
Headers = Annotated[SessionHeaders, Depends(session_headers)]
_MADE = (
    *BODY_ERRORS,
    *PICTURE_ERRORS,
    NotFound,
    NotLicensed,
    NotDeployed,
    Conflict,
    DatabaseFailed,
    SessionsFull,
    BudgetSpent,
    SwitchedOff,
)
_READ = (NotFound, InvalidInput, DatabaseFailed)


@router.post(
    "/sessions",
    status_code=201,
    openapi_extra={"requestBody": TRYON_BODY},
    responses={200: {"model": AcceptedResponse, "description": "A repeat."}, **errors(*_MADE)},
)
async def create(
    request: Request,
    response: Response,
    r: R,
    headers: Headers,
) -> AcceptedResponse:
    """Accept a try-on, and answer at once: it is stored, and it will be made.

    A visitor without a token is given one: whoever sends it owns the session. The same
    `Idempotency-Key` with the same request gives the same session for a day. With `Prefer: wait=N`
    the answer comes when the session has ended, or after N seconds.
    """
    return await _accepted(request, response, r, headers, partial(_one_item, request, r))


@router.post(
    "/batches",
    status_code=201,
    openapi_extra={"requestBody": BATCH_BODY},
    responses={200: {"model": AcceptedResponse, "description": "A repeat."}, **errors(*_MADE)},
)
async def create_batch(
    request: Request,
    response: Response,
    r: R,
    headers: Headers,
) -> AcceptedResponse:
    """Accept every person in every garment as one session, each item with a result of its own.

    Everything else is as with a single try-on. What several items share is stored once, and a
    person is analysed once.
    """
    return await _accepted(request, response, r, headers, partial(_many_items, request, r))


@router.get("/sessions", responses=errors(*_READ))
async def page(
    r: R,
    caller: Owner,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=128, description="of the page before")] = None,
    state: Annotated[State | None, Query(description="only those that stand so")] = None,
) -> SessionsResponse:
    """List the caller's sessions, the newest first."""
    owner = known_owner(caller)
    after = None if cursor is None else Cursor.parse(cursor)
    if cursor is not None and after is None:
        raise InvalidInput.of("cursor", "is not one that a page ended with")
    return page_described(await r.sessions.page(owner, limit, after, state), r.results)


@router.get("/sessions/{session_id}", responses=errors(*_READ))
async def one(session_id: PathId, r: R, caller: Owner) -> SessionResponse:
    """Say how a session stands, and what came of it."""
    found = await r.sessions.get(session_id, known_owner(caller))
    return described(found, r.results)


@router.post("/sessions/{session_id}/cancel", responses=errors(*_READ))
async def cancel(session_id: PathId, r: R, caller: Maker) -> SessionResponse:
    """End a session; what has ended stays as it is, and what is being made is dropped."""
    found = await r.sessions.cancel(session_id, known_owner(caller))
    return described(found, r.results)


@router.delete("/sessions/{session_id}", responses=errors(*_READ, StorageFailed))
async def delete(session_id: PathId, request: Request, r: R, caller: Maker) -> ReceiptResponse:
    """Erase a session with its photos and its results, now and for good.

    The answer is a signed receipt. Should a store be away, the session is gone for everybody, and
    what is left of it is erased as soon as the store is back.
    """
    receipt = await r.sessions.delete(session_id, known_owner(caller), visitor_of(request))
    return ReceiptResponse.model_validate(receipt)


async def _one_item(request: Request, r: Resources) -> Batch:
    asked = await read_tryon(request, r.settings.uploads)
    wearer = Wearer(asked.person, asked.mask, asked.densepose)
    return Batch((wearer,), (Worn(asked.garment, {}),), asked.engine, asked.given)


async def _many_items(request: Request, r: Resources) -> Batch:
    return await read_batch(request, r.settings.uploads)


async def _accepted(
    request: Request,
    response: Response,
    r: Resources,
    headers: SessionHeaders,
    read: Callable[[], Awaitable[Batch]],
) -> AcceptedResponse:
    with r.admission.one():
        asked = await read()
        wanted = SessionRequest(
            owner=headers.owner,
            wearers=asked.wearers,
            garments=asked.garments,
            engine=asked.engine,
            given=asked.given,
            request_id=request.scope["request_id"],
            key=headers.key,
            cancel_after_s=headers.cancel_after_s,
            webhook=headers.webhook,
            most_open=headers.most_open,
            payer=headers.payer,
            keep_s=headers.keep_s,
        )
        items = len(asked.wearers) * len(asked.garments)
        counted = partial(count_items, request, r.doors.limits, items, "garments")
        accepted = await r.sessions.create(wanted, counted)
    return await _answer(request, response, r, headers, accepted)


async def _answer(
    request: Request, response: Response, r: Resources, headers: SessionHeaders, accepted: Created
) -> AcceptedResponse:
    session, webhook = accepted.session, await _webhook(r, headers, accepted)
    if headers.longest_s:
        response.headers[APPLIED] = f"wait={headers.longest_s:.0f}"
        session = await _waited_for(request, r, session, headers.longest_s)
    if headers.fresh_token is not None:
        response.headers[USER_TOKEN] = headers.fresh_token
    if accepted.is_repeat:
        response.status_code = 200
        response.headers[REPLAYED] = "true"
    told = described(session, r.results)
    response.headers["Location"] = told.urls.self
    return AcceptedResponse(
        **dict(told),
        user_token=headers.fresh_token,
        webhook=None if webhook is None else webhook_described(webhook, is_new=True),
    )


async def _webhook(r: Resources, headers: SessionHeaders, accepted: Created) -> Endpoint | None:
    """The endpoint that came with a session; that of a new one was just written down."""
    if headers.webhook is None:
        return None
    session, service = accepted.session, r.webhooks.service
    if accepted.is_repeat:
        return await service.of_session(session.owner, session.session_id)
    return service.shown(replace(headers.webhook, session_id=session.session_id))


async def _waited_for(
    request: Request, r: Resources, session: Session, longest_s: float
) -> Session:
    """The session when it has ended, or as it was accepted: no failure takes that back."""
    closing = r.watch.closing
    waiting = r.sessions.wait(session.session_id, session.owner, longest_s, closing)
    try:
        return await while_there(request.receive, waiting)
    except GatewayError as error:
        log = structlog.get_logger(__name__)
        log.warning("a session is answered as it was accepted", error_code=error.code)
        return session
