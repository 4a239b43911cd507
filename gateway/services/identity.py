"""Who asks, answered once for every request."""

import hmac
from dataclasses import dataclass

import structlog

from gateway.domain.identity import (
    VISITOR_SCOPES,
    Caller,
    Credentials,
    Scope,
    administrator,
    stranger,
    visitor,
)
from gateway.token_errors import TokenInvalid, TokenMissing, Unauthenticated


@dataclass(frozen=True, slots=True)
class IdentityRules:
    """Whom a deployment lets in.

    `salt` (at most 64 bytes) hides addresses; an open catalogue is everybody's to change.
    """

    admin_token: str | None
    anonymous: bool
    is_catalogue_open: bool
    salt: bytes


class IdentityService:
    """Tells callers apart: each is accepted as what he shows, or refused."""

    def __init__(self, rules: IdentityRules) -> None:
        self._rules = rules
        extra = {Scope.CATALOGUE} if rules.is_catalogue_open else set()
        self._visitor_scopes = VISITOR_SCOPES | extra

    def is_open_to_somebody(self, scope: Scope) -> bool:
        """Whether this deployment has anybody who could have the scope."""
        if scope is Scope.CATALOGUE and self._rules.is_catalogue_open:
            return True
        return scope in self._visitor_scopes or self._rules.admin_token is not None

    async def who(self, shown: Credentials) -> Caller:
        """The caller; raises Unauthenticated, which the log knows the reason of.

        Whoever shows a token is taken by it alone: a wrong one never makes a visitor of him.
        """
        try:
            return await self._known(shown)
        except Unauthenticated as error:
            structlog.get_logger(__name__).warning(
                "authentication failed",
                reason=error.reason,
                address=shown.address,
                user_agent=shown.user_agent,
            )
            raise

    async def _known(self, shown: Credentials) -> Caller:
        if shown.bearer is not None:
            return await self._by_bearer(shown.bearer)
        if not self._rules.anonymous:
            raise TokenMissing
        if shown.visitor is None:
            return stranger(shown.address, self._rules.salt, self._visitor_scopes)
        known = visitor(shown.visitor, self._visitor_scopes)
        if known is None:
            raise TokenInvalid("visitor's token of another form")
        return known

    async def _by_bearer(self, token: str) -> Caller:
        expected = self._rules.admin_token
        if expected is not None and hmac.compare_digest(token.encode(), expected.encode()):
            return administrator()
        raise TokenInvalid("bearer token not known")
