"""What routes ask for: what the gateway holds open, and who asks.

Every route says what it needs, once: `needs(scope)`, or `PUBLIC` where nobody is asked who he is.
"""

from dataclasses import dataclass
from typing import Annotated, Final, cast

import structlog
from fastapi import Depends, params
from fastapi.requests import HTTPConnection

from gateway.domain.identity import Caller, Scope
from gateway.errors import NotFound
from gateway.request_credentials import credentials_of
from gateway.resources import Resources
from gateway.token_errors import NotPermitted, TokenMissing


# None of these waits for anything, and yet they are `async`: others are sent to a thread each time.
async def _resources(connection: HTTPConnection) -> Resources:
    return cast("Resources", connection.app.state.resources)


R = Annotated[Resources, Depends(_resources)]


@dataclass(frozen=True, slots=True)
class Needs:
    """Asks who it is, and lets pass whoever has the scope.

    As a dependency it gives the Caller, which is `scope["caller"]`, too, and his name in every
    line of the log from there on. It works for WebSockets, too.
    """

    scope: Scope

    async def __call__(self, connection: HTTPConnection, r: R) -> Caller:
        """Raise Unauthenticated, NotPermitted, or NotFound where nobody could ever pass."""
        if not r.identity.is_open_to_somebody(self.scope):
            raise NotFound
        known: Caller | None = connection.scope.get("caller")
        caller = known or await _identified(connection, r)
        if not caller.may(self.scope):
            raise TokenMissing if caller.is_anonymous else NotPermitted
        return caller


async def _identified(connection: HTTPConnection, r: Resources) -> Caller:
    caller = await r.identity.who(credentials_of(connection))
    if caller.is_known:
        structlog.contextvars.bind_contextvars(user_id=caller.owner)
    connection.scope["caller"] = caller
    return caller


def needs(scope: Scope) -> params.Depends:
    """The dependency of a route that is for whoever has this scope; it gives the Caller."""
    return cast("params.Depends", Depends(Needs(scope)))


async def nobody_in_particular() -> None:
    """Ask nothing: the route is for everybody, whoever he is."""


PUBLIC: Final = cast("params.Depends", Depends(nobody_in_particular))
