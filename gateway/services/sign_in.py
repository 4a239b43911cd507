"""A page's way in and out: sign in, go on, sign out. One refresh for all who want it at once."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Final

from gateway.domain.access_tokens import Verified
from gateway.domain.sealing import name_of, seal, unseal
from gateway.errors.kinds import GatewayError
from gateway.errors.tokens import SupabaseFailed, TokenInvalid, Unauthenticated
from gateway.ports.identity import AccessTokens, Grant, RefreshBook, SignInServer, Turn
from gateway.services.denials import Denials

_LOOK_S: Final = 0.05
_SEPARATOR: Final = b"\n"
_MOST_CHARS: Final = 4000  # browsers drop a cookie of more than 4096 bytes, and say nothing


@dataclass(frozen=True, slots=True)
class SignInRules:
    """How long a refresh may take, and how long after it another tab may have its outcome."""

    lease_s: float
    shared_s: float


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Tokens that are good, and what they say."""

    grant: Grant
    token: Verified


class SignInService:
    """Signs people in by the sign-in service; nothing is kept here that would let anybody in."""

    def __init__(
        self,
        server: SignInServer,
        tokens: AccessTokens,
        denials: Denials,
        refreshes: RefreshBook,
        rules: SignInRules,
    ) -> None:
        self._server = server
        self._tokens = tokens
        self._denials = denials
        self._refreshes = refreshes
        self._rules = rules
        self._going: dict[str, asyncio.Task[SignedIn]] = {}

    async def sign_in(self, email: str, password: str) -> SignedIn:
        """Sign in by password; raises SignInRefused, Busy, TimedOut, SupabaseFailed."""
        return await self._checked(await self._server.by_password(email, password))

    async def go_on(self, refresh: str, session_id: str) -> SignedIn:
        """New tokens for those that expire; raises TokenInvalid, Busy, TimedOut, SupabaseFailed.

        A refresh token may be used once. Tabs that send the same one at the same time, to
        whichever gateway, get the same new tokens. What is begun is finished, whoever leaves: its
        outcome would be lost, and the sign-in with it.
        """
        name = name_of(refresh)
        task = self._going.get(name)
        if task is None:
            task = self._going[name] = asyncio.create_task(self._gone_on(name, refresh))
            task.add_done_callback(partial(self._landed, name))
        signed_in = await asyncio.shield(task)
        if signed_in.token.session_id != session_id:
            raise TokenInvalid("refresh token of another sign-in")
        return signed_in

    async def sign_out(self, access: str, *, everywhere: bool) -> None:
        """End a sign-in here at once, and at the service if it can be reached.

        Raises what a token that is not good raises, and SupabaseFailed where it ended here alone.
        """
        token = await self._tokens.verified(access)
        await self._denials.deny(token, everywhere=everywhere)
        await self._server.sign_out(access, "global" if everywhere else "local")

    async def clear(self) -> int:
        """Forget refreshes that are over; how many."""
        return await self._refreshes.clear()

    async def close(self) -> None:
        """See what is under way to its end."""
        await asyncio.gather(*self._going.values(), return_exceptions=True)

    def _landed(self, name: str, task: asyncio.Task[SignedIn]) -> None:
        self._going.pop(name, None)
        if not task.cancelled():
            task.exception()  # looked at, or asyncio reports one that nobody waited for

    async def _gone_on(self, name: str, refresh: str) -> SignedIn:
        while True:
            found = await self._refreshes.claim(name, self._rules.lease_s)
            if found.turn is Turn.MINE:
                return await self._refreshed(name, refresh)
            if found.turn is Turn.REFUSED:
                raise TokenInvalid("refresh token refused")
            if found.turn is Turn.DONE:
                return await self._checked(_opened(refresh, found.sealed))
            await asyncio.sleep(_LOOK_S)

    async def _refreshed(self, name: str, refresh: str) -> SignedIn:
        try:
            grant = await self._server.by_refresh(refresh)
        except Unauthenticated:
            await self._refreshes.refuse(name, self._rules.shared_s)
            raise
        except (GatewayError, asyncio.CancelledError):
            await self._refreshes.release(name)
            raise
        sealed = seal(refresh, _SEPARATOR.join((grant.access.encode(), grant.refresh.encode())))
        await self._refreshes.finish(name, sealed, self._rules.shared_s)
        return await self._checked(grant)

    async def _checked(self, grant: Grant) -> SignedIn:
        """Tokens that our own check lets in; what it does not, the service should not have sent."""
        try:
            token = await self._tokens.verified(grant.access)
        except Unauthenticated as error:
            raise SupabaseFailed from error
        if await self._denials.is_denied(token):
            raise TokenInvalid("signed out")
        if len(grant.access) > _MOST_CHARS:
            raise SupabaseFailed("The access token is too long for a cookie.")
        return SignedIn(grant, token)


def _opened(refresh: str, sealed: bytes) -> Grant:
    text = unseal(refresh, sealed)
    if text is None:
        raise TokenInvalid("refresh token of another form")
    access, _, following = text.partition(_SEPARATOR)
    return Grant(access.decode(), following.decode())
