"""API keys: made, listed and revoked by their owners, and recognised in requests."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.domain.api_keys import (
    ID_BYTES,
    SECRET_BYTES,
    ApiKey,
    digest_of,
    id_within,
    opened,
    written,
)
from gateway.domain.identity import Caller, KeyLimits, Scope
from gateway.errors.kinds import Conflict, DatabaseFailed, NotFound
from gateway.ports.clock import Clock
from gateway.ports.identity import KeyBook

_MOST_KNOWN: Final = 10_000
_NOTED_EVERY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class KeyRules:
    """How many live keys an owner may have, and for how long a key is believed unseen."""

    per_owner: int
    recheck_s: float


@dataclass(frozen=True, slots=True)
class KeyWish:
    """A key that somebody would have."""

    owner: str
    name: str
    scopes: frozenset[Scope]
    expires_in_s: float | None = None
    limits: KeyLimits = field(default_factory=KeyLimits)


class ApiKeyService:
    """Makes keys, and tells whose they are."""

    def __init__(
        self, book: KeyBook, clock: Clock, randomness: Callable[[int], bytes], rules: KeyRules
    ) -> None:
        self._book = book
        self._clock = clock
        self._randomness = randomness
        self._rules = rules
        self._known: OrderedDict[str, tuple[float, ApiKey | None]] = OrderedDict()
        self._noted: dict[str, float] = {}

    async def make(self, wish: KeyWish) -> tuple[ApiKey, str]:
        """A new key, and its text, which nobody can be shown again.

        Raises Conflict where its owner has as many as may be.
        """
        key_id, now = self._randomness(ID_BYTES).hex(), self._clock.now()
        text = written(key_id, self._randomness(SECRET_BYTES))
        key = ApiKey(
            key_id=key_id,
            owner=wish.owner or f"key:{key_id}",
            name=wish.name,
            digest=digest_of(text),
            scopes=wish.scopes,
            created_at=now,
            expires_at=None if wish.expires_in_s is None else now + wish.expires_in_s,
            limits=wish.limits,
        )
        if not await self._book.add(key, self._rules.per_owner):
            raise Conflict(
                "There are as many keys as may be: revoke one.",
                details={"most": self._rules.per_owner},
            )
        return key, text

    async def of(self, owner: str | None) -> Sequence[ApiKey]:
        """An owner's keys, or everybody's; the newest first."""
        return await self._book.of(owner)

    async def revoke(self, key_id: str, owner: str | None) -> None:
        """End a key, here at once and in other gateways within moments; raises NotFound."""
        if not await self._book.revoke(key_id, owner):
            raise NotFound
        self._known.pop(key_id, None)

    async def who(self, text: str) -> Caller:
        """Whoever shows a key; raises TokenInvalid, TokenExpired, DatabaseFailed."""
        key_id = id_within(text)
        key = opened(await self._found(key_id), text, self._clock.now())
        await self._note(key_id)
        return key.caller()

    async def _found(self, key_id: str) -> ApiKey | None:
        now = self._clock.monotonic()
        known = self._known.get(key_id)
        if known is None or now >= known[0] + self._rules.recheck_s:
            known = now, await self._book.find(key_id)
            self._known[key_id] = known
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return known[1]

    async def _note(self, key_id: str) -> None:
        """Write down that a key is in use, now and then; that it cannot be is no reason to fail."""
        now = self._clock.monotonic()
        if now < self._noted.get(key_id, -_NOTED_EVERY_S) + _NOTED_EVERY_S:
            return
        self._noted[key_id] = now
        with suppress(DatabaseFailed):
            await self._book.used(key_id)
