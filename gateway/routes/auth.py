"""/api/v1/auth: a page signs in, goes on, signs out, and learns who it is."""

import secrets
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response

from gateway.deps import PUBLIC, R, needs
from gateway.documentation.openapi import errors
from gateway.domain.csrf import RANDOM_BYTES, csrf_token
from gateway.domain.identity import Caller, Credentials, Scope
from gateway.domain.limits import Limit
from gateway.errors.kinds import (
    Busy,
    DatabaseFailed,
    InvalidInput,
    MalformedBody,
    NotFound,
    SlowBody,
    TimedOut,
    TooLarge,
    TypeNotAllowed,
)
from gateway.errors.limits import RateLimited
from gateway.errors.tokens import (
    CsrfFailed,
    SignInRefused,
    SupabaseFailed,
    TokenInvalid,
    TokenMissing,
    Unauthenticated,
)
from gateway.intake.cookies import clear_cookies, refresh_cookie, set_cookies
from gateway.intake.credentials import credentials_of
from gateway.intake.csrf import check_origin, check_token
from gateway.intake.tryon import from_json
from gateway.middleware.limiting import count
from gateway.resources import Resources
from gateway.schemas.auth import LoginBody, LogoutBody, MeResponse, SignInResponse
from gateway.services.sign_in import SignInService

router = APIRouter(prefix="/api/v1/auth", tags=["identity"])

_BODY: Final = (MalformedBody, SlowBody, TooLarge, TypeNotAllowed, InvalidInput)
_OUTSIDE: Final = (
    NotFound,
    CsrfFailed,
    RateLimited,
    Busy,
    SupabaseFailed,
    TimedOut,
    DatabaseFailed,
)


def _json(name: str, example: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "/login",
    dependencies=[PUBLIC],
    openapi_extra=_json("LoginBody", {"email": "ada@example.org", "password": "correct horse"}),
    responses=errors(*_BODY, *_OUTSIDE, SignInRefused),
)
async def login(request: Request, response: Response, r: R) -> SignInResponse:
    """Sign in with an e-mail address and a password; the tokens come as cookies.

    From a page of ours alone: another page's request is refused. Counts for the caller's address.
    """
    service, shown = _service(r), _shown(request, r)
    await count(request, r.doors.limits, None, Limit.ANONYMOUS)
    await _from_our_page(request, r, shown)
    body = await from_json(request, LoginBody)
    try:
        signed_in = await service.sign_in(body.email, body.password.get_secret_value())
    except Unauthenticated as error:
        await r.doors.identity.note_refusal(shown, error.reason)
        raise
    await r.doors.identity.note("login", shown, owner=signed_in.token.owner)
    rules, random = r.doors.cookies, secrets.token_bytes(RANDOM_BYTES)
    csrf = csrf_token(rules.secret, signed_in.token.session_id, random)
    set_cookies(response, rules, signed_in, csrf)
    return SignInResponse.of(signed_in)


@router.post(
    "/refresh",
    dependencies=[PUBLIC],
    responses=errors(*_OUTSIDE, TokenInvalid, TokenMissing),
)
async def refresh(request: Request, response: Response, r: R) -> SignInResponse:
    """Have new tokens for those that are about to expire.

    Tabs that ask at the same time get the same ones. Needs the CSRF token, as `X-CSRF-Token`.
    """
    service, shown = _service(r), _shown(request, r)
    await count(request, r.doors.limits, None, Limit.ANONYMOUS)
    try:
        session_id, token = refresh_cookie(request, r.doors.cookies)
        check_origin(request, r.settings)
        check_token(request, r.doors.cookies, session_id)
        signed_in = await service.go_on(token, session_id)
    except (Unauthenticated, CsrfFailed) as error:
        await r.doors.identity.note_refusal(shown, error.reason)
        raise
    # The CSRF token stays: another tab may be about to send it.
    set_cookies(response, r.doors.cookies, signed_in, request.cookies[r.doors.cookies.csrf])
    return SignInResponse.of(signed_in)


@router.post(
    "/logout",
    status_code=204,
    openapi_extra=_json("LogoutBody", {"everywhere": False}),
    responses=errors(*_BODY, *_OUTSIDE, TokenInvalid, TokenMissing),
)
async def logout(
    request: Request, response: Response, r: R, caller: Annotated[Caller, needs(Scope.READ)]
) -> None:
    """Sign out, here or everywhere: the tokens are good for nothing from now on.

    Where the sign-in service is away, this gateway and its neighbours refuse them all the same.
    """
    service, shown = _service(r), _shown(request, r)
    token = shown.bearer or shown.cookie
    if token is None or caller.session_id is None:
        raise TokenMissing("nobody is signed in")
    body = await from_json(request, LogoutBody)
    try:
        await service.sign_out(token, everywhere=body.everywhere)
    except (SupabaseFailed, RateLimited, Busy, TimedOut) as error:
        await r.doors.identity.note("logout.here_alone", shown, str(error.code), caller.owner)
    else:
        await r.doors.identity.note("logout", shown, owner=caller.owner)
    clear_cookies(response, r.doors.cookies)


@router.get("/me", responses=errors(DatabaseFailed))
async def me(r: R, response: Response, caller: Annotated[Caller, needs(Scope.READ)]) -> MeResponse:
    """Say who asks, and what he may do."""
    response.headers["Cache-Control"] = "no-store"
    identity = r.doors.identity
    return MeResponse.of(
        caller, can_sign_in=identity.has_sign_in, visitors=identity.allows_visitors
    )


def _service(r: Resources) -> SignInService:
    if r.doors.sign_in is None:
        raise NotFound("This deployment has no sign-in.")
    return r.doors.sign_in


def _shown(request: Request, r: Resources) -> Credentials:
    return credentials_of(request, r.doors.cookies.access)


async def _from_our_page(request: Request, r: Resources, shown: Credentials) -> None:
    try:
        check_origin(request, r.settings)
    except CsrfFailed as error:
        await r.doors.identity.note_refusal(shown, error.reason)
        raise
