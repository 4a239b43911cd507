"""What routes ask for: what the gateway holds open, and who asks.

Every route says what it needs, once: `needs(scope)`, or `PUBLIC` where nobody is asked who he is.
"""

from dataclasses import dataclass
from typing import Annotated, Final, cast

import structlog
from fastapi import Depends, params
from fastapi.requests import HTTPConnection

from gateway.domain.identity import SAFE_METHODS, Caller, Credentials, Scope
from gateway.domain.limits import Limit
from gateway.errors.kinds import NotFound
from gateway.errors.tokens import CsrfFailed, NotPermitted, TokenMissing, Unauthenticated
from gateway.intake.credentials import credentials_of
from gateway.intake.csrf import check_origin, check_token
from gateway.middleware.limiting import check_budget, count
from gateway.resources import Resources


def resources_of(connection: HTTPConnection) -> Resources:
    """What the gateway holds open; for dependencies, where one more layer of them costs time."""
    return cast("Resources", connection.app.state.resources)


# Not all of these wait for something, and yet they are `async`: others are sent to a thread.
async def _resources(connection: HTTPConnection) -> Resources:
    return resources_of(connection)


R = Annotated[Resources, Depends(_resources)]


@dataclass(frozen=True, slots=True)
class Needs:
    """Asks who it is, and lets pass whoever has the scope, unless he asks too often.

    As a dependency it gives the Caller, which is `scope["caller"]`, too, and his name in every
    line of the log from there on. A request that a cookie vouches for must come from a page of
    ours and carry its CSRF token, unless it changes nothing. It works for WebSockets, too: they
    cannot carry one, and what they change, a page of ours asked for. A request counts as what
    `limit` says, or else as a read or a write; one with a wrong token counts for its address. Who
    asks an engine by an API key must have something left of its budget.
    """

    scope: Scope
    limit: Limit | None = None
    asks_engine: bool = False

    async def __call__(self, connection: HTTPConnection) -> Caller:
        """Raise Unauthenticated, NotPermitted, CsrfFailed, RateLimited, BudgetSpent, NotFound."""
        r = resources_of(connection)
        if not r.doors.identity.is_open_to_somebody(self.scope):
            raise NotFound
        known: Caller | None = connection.scope.get("caller")
        caller = known or await _identified(connection, r)
        await count(connection, r.doors.limits, caller, self.limit)
        if not caller.may(self.scope):
            raise await _refused(connection, r, caller)
        if self.asks_engine:
            await check_budget(connection, r.doors.limits, caller)
        return caller


async def _identified(connection: HTTPConnection, r: Resources) -> Caller:
    shown = credentials_of(connection, r.doors.cookies.access)
    try:
        caller = await r.doors.identity.who(shown)
    except Unauthenticated:
        await count(connection, r.doors.limits, None, Limit.ANONYMOUS)
        raise
    if caller.by_cookie:
        try:
            _guard(connection, r, caller)
        except CsrfFailed as error:
            await r.doors.identity.note_refusal(shown, error.reason, caller.owner)
            raise
    if caller.is_known:
        structlog.contextvars.bind_contextvars(user_id=caller.owner)
    connection.scope["caller"] = caller
    return caller


def _guard(connection: HTTPConnection, r: Resources, caller: Caller) -> None:
    is_socket = connection.scope["type"] == "websocket"
    if not is_socket and connection.scope["method"] in SAFE_METHODS:
        return
    check_origin(connection, r.settings)
    if not is_socket:
        check_token(connection, r.doors.cookies, caller.session_id or "")


async def _refused(connection: HTTPConnection, r: Resources, caller: Caller) -> Exception:
    """Why somebody may not; one who shows nothing is asked to show something."""
    error = TokenMissing("visitor") if caller.is_anonymous else NotPermitted()
    shown = credentials_of(connection, r.doors.cookies.access)
    reason = error.reason if isinstance(error, TokenMissing) else "scope missing"
    await r.doors.identity.note_refusal(shown, reason, caller.owner)
    return error


async def may_see_pages(connection: HTTPConnection) -> bool:
    """Whether a page is shown: to everybody, or, where people must sign in, to who has."""
    resources: Resources | None = getattr(connection.app.state, "resources", None)
    if resources is None:
        return True
    doors = resources.doors
    if doors.sign_in is None or doors.identity.allows_visitors:
        return True
    shown = credentials_of(connection, doors.cookies.access)
    if shown.cookie is None:
        return False
    try:
        await doors.identity.who(Credentials(cookie=shown.cookie, address=shown.address))
    except Unauthenticated:
        return False
    return True


def needs(scope: Scope, limit: Limit | None = None, *, asks_engine: bool = False) -> params.Depends:
    """The dependency of a route that is for whoever has this scope; it gives the Caller."""
    return cast("params.Depends", Depends(Needs(scope, limit, asks_engine)))


async def nobody_in_particular() -> None:
    """Ask nothing: the route is for everybody, whoever he is."""


PUBLIC: Final = cast("params.Depends", Depends(nobody_in_particular))
