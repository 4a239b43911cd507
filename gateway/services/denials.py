"""Sign-ins that have ended, though their tokens have not expired."""

from collections import OrderedDict
from typing import Final

from gateway.domain.access_tokens import Verified
from gateway.domain.durations import DAY_S
from gateway.ports.clock import Clock
from gateway.ports.identity import DenialBook

_MOST_KNOWN: Final = 10_000
_LONGEST_TOKEN_S: Final = DAY_S


class Denials:
    """Knows who signed out: at once in this gateway, within `recheck_s` in all others."""

    def __init__(self, book: DenialBook, clock: Clock, recheck_s: float) -> None:
        self._book = book
        self._clock = clock
        self._recheck_s = recheck_s
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def is_denied(self, token: Verified) -> bool:
        """Whether the token's sign-in has ended; raises DatabaseFailed."""
        now = self._clock.monotonic()
        known = self._known.get(token.session_id)
        if known is None or now >= known[0] + self._recheck_s:
            known = now, await self._book.denied([_session(token), _user(token)])
            self._known[token.session_id] = known
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return token.issued_at <= known[1]

    async def deny(self, token: Verified, *, everywhere: bool) -> None:
        """End this sign-in, or all of the user's up to now."""
        now = self._clock.now()
        until = max(token.expires_at, now + _LONGEST_TOKEN_S)
        await self._book.deny([_session(token)], until, until)
        if everywhere:
            await self._book.deny([_user(token)], now, until)
        self._known.clear()

    async def clear(self) -> int:
        """Forget what has expired; how many."""
        return await self._book.clear()


def _session(token: Verified) -> str:
    return f"session:{token.session_id}"


def _user(token: Verified) -> str:
    return f"user:{token.subject}"
