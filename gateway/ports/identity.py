"""What identity needs from the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.domain.access_tokens import Verified
from gateway.domain.api_keys import ApiKey


class AccessTokens(Protocol):
    """Tells the sign-in service's tokens from all others."""

    async def verified(self, token: str) -> Verified:
        """What the token says; raises TokenInvalid, TokenExpired, SupabaseFailed."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """What the sign-in service gives: an access token, and one to have the next with."""

    access: str
    refresh: str


class SignInServer(Protocol):
    """The sign-in service."""

    async def by_password(self, email: str, password: str) -> Grant:
        """Sign in; raises SignInRefused, RateLimited, SupabaseFailed."""
        ...

    async def by_refresh(self, refresh: str) -> Grant:
        """Go on; raises TokenInvalid, RateLimited, SupabaseFailed."""
        ...

    async def sign_out(self, access: str, scope: str) -> None:
        """End this session (`local`) or all of the user's (`global`); raises SupabaseFailed."""
        ...


class Turn(StrEnum):
    """Whose it is to refresh a token."""

    MINE = "mine"
    THEIRS = "theirs"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Refresh:
    """How a refresh stands; what came of it, sealed, where it is done."""

    turn: Turn
    sealed: bytes = b""


class RefreshBook(Protocol):
    """Who refreshes what, over all gateways."""

    async def claim(self, name: str, lease_s: float) -> Refresh:
        """Whose turn it is; mine for as long as the lease, if nobody else has it."""
        ...

    async def finish(self, name: str, sealed: bytes, keep_s: float) -> None:
        """Tell everybody what came of it."""
        ...

    async def refuse(self, name: str, keep_s: float) -> None:
        """Tell everybody that the token is none."""
        ...

    async def release(self, name: str) -> None:
        """Let somebody else try."""
        ...

    async def clear(self) -> int:
        """Forget what is over; how many."""
        ...


class DenialBook(Protocol):
    """Sign-ins that have ended before their tokens expire."""

    async def deny(self, names: Sequence[str], before: float, until: float) -> None:
        """Refuse what was issued up to `before` (Unix seconds), as long as it could be valid."""
        ...

    async def denied(self, names: Sequence[str]) -> float:
        """Up to when (Unix seconds) what was issued under any of the names is refused; else 0."""
        ...

    async def clear(self) -> int:
        """Forget what has expired; how many."""
        ...


class KeyBook(Protocol):
    """API keys."""

    async def add(self, key: ApiKey, most: int) -> bool:
        """Write a key down, unless its owner has `most` that live."""
        ...

    async def find(self, key_id: str) -> ApiKey | None:
        """A key by its public part."""
        ...

    async def of(self, owner: str | None) -> Sequence[ApiKey]:
        """An owner's keys, or everybody's; the newest first."""
        ...

    async def revoke(self, key_id: str, owner: str | None) -> bool:
        """End a key of this owner, or anybody's; whether there was one."""
        ...

    async def used(self, key_id: str) -> None:
        """Note that a key is in use."""
        ...
