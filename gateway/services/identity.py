"""Who asks, answered once for every request."""

import hmac
from dataclasses import dataclass

from gateway.domain.api_keys import PREFIX
from gateway.domain.identity import (
    KEY_SCOPES,
    VISITOR_SCOPES,
    Caller,
    Credentials,
    Scope,
    administrator,
    stranger,
    visitor,
)
from gateway.errors.tokens import NotPermitted, TokenInvalid, TokenMissing, Unauthenticated
from gateway.ports.identity import AccessTokens
from gateway.services.api_keys import ApiKeyService
from gateway.services.audit import AuditService, Visitor
from gateway.services.denials import Denials
from gateway.services.refusals import Refusals


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
    """Tells callers apart: each is accepted as what he shows, or refused.

    `tokens` is None where no sign-in service is configured.
    """

    def __init__(
        self,
        rules: IdentityRules,
        tokens: AccessTokens | None,
        denials: Denials,
        keys: ApiKeyService,
        audit: AuditService,
        refusals: Refusals,
    ) -> None:
        self._rules = rules
        self._tokens = tokens
        self._denials = denials
        self._keys = keys
        self._audit = audit
        self._refusals = refusals
        extra = {Scope.CATALOGUE} if rules.is_catalogue_open else set()
        self.visitor_scopes = VISITOR_SCOPES | extra

    @property
    def allows_visitors(self) -> bool:
        """Whether somebody who shows nothing is let in."""
        return self._rules.anonymous

    @property
    def has_sign_in(self) -> bool:
        """Whether people can sign in."""
        return self._tokens is not None

    def is_open_to_somebody(self, scope: Scope) -> bool:
        """Whether this deployment has anybody who could have the scope; an operator makes keys."""
        has_more = self.has_sign_in or self._rules.admin_token is not None
        return has_more or scope in self.visitor_scopes | KEY_SCOPES

    async def who(self, shown: Credentials) -> Caller:
        """The caller; raises Unauthenticated, which is written down with its reason.

        Whoever shows a token is taken by it alone: a wrong one never makes a visitor of him.
        """
        try:
            return await self._known(shown)
        except Unauthenticated as error:
            await self.note_refusal(shown, error.reason)
            raise
        except NotPermitted:
            await self.note_refusal(shown, "visitor of the sign-in service")
            raise

    async def note_refusal(self, shown: Credentials, reason: str, owner: str = "") -> None:
        """Write down that somebody was not let in: when, from where, with what, and why."""
        await self._refusals.note(owner, Visitor(shown.address, shown.user_agent), reason)

    async def note(self, event: str, shown: Credentials, reason: str = "", owner: str = "") -> None:
        """Write down who came and went."""
        seen = Visitor(shown.address, shown.user_agent)
        await self._audit.record(event, owner, seen, reason)

    async def _known(self, shown: Credentials) -> Caller:
        if shown.bearer is not None:
            return await self._by_bearer(shown.bearer)
        if shown.cookie is not None:
            return await self._by_access_token(shown.cookie, by_cookie=True)
        if not self._rules.anonymous:
            raise TokenMissing
        if shown.visitor is None:
            return stranger(shown.address, self._rules.salt, self.visitor_scopes)
        known = visitor(shown.visitor, self.visitor_scopes)
        if known is None:
            raise TokenInvalid("visitor's token of another form")
        return known

    async def _by_bearer(self, token: str) -> Caller:
        expected = self._rules.admin_token
        if expected is not None and hmac.compare_digest(token.encode(), expected.encode()):
            return administrator()
        if token.startswith(PREFIX):
            return await self._keys.who(token)
        return await self._by_access_token(token, by_cookie=False)

    async def _by_access_token(self, token: str, *, by_cookie: bool) -> Caller:
        if self._tokens is None:
            raise TokenInvalid("no sign-in service is configured")
        verified = await self._tokens.verified(token)
        if await self._denials.is_denied(verified):
            raise TokenInvalid("signed out")
        if verified.is_anonymous and not self._rules.anonymous:
            raise NotPermitted("Visitors are not let in here: sign in.")
        return verified.caller(by_cookie=by_cookie)
