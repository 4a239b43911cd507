"""Who asks: what kind of caller, what is his, and what he may do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Final

_OWNER_BYTES: Final = 24
_ADDRESS_BYTES: Final = 12
_VISITOR_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{22,128}", re.ASCII)
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Kind(StrEnum):
    """What a caller showed to be let in."""

    USER = "user"  # an access token of the sign-in service
    API_KEY = "api_key"  # a key of a server
    ANONYMOUS = "anonymous"  # nothing, or a random token of his own
    ADMIN = "admin"  # the deployment's own token


class Role(StrEnum):
    """What a caller is to the deployment."""

    USER = "user"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a caller may do; a route needs exactly one."""

    READ = "read"  # see what is his, and what everybody may see
    TRYON = "tryon"  # have pictures made and analysed, upload, keep sessions
    LIVE = "live"  # open a live stream
    RECOMMENDATIONS = "recommendations"  # ask what would suit
    WEBHOOKS = "webhooks"  # be called back
    KEYS = "keys"  # make API keys, see and revoke them
    CATALOGUE = "catalogue"  # add garments and fabrics for everybody, and remove them
    ADMIN = "admin"  # run the deployment


VISITOR_SCOPES: Final = frozenset(
    {Scope.READ, Scope.TRYON, Scope.LIVE, Scope.RECOMMENDATIONS, Scope.WEBHOOKS}
)
USER_SCOPES: Final = VISITOR_SCOPES | {Scope.KEYS}
ADMIN_SCOPES: Final = frozenset(Scope)
KEY_SCOPES: Final = VISITOR_SCOPES | {Scope.CATALOGUE}
"""What a key may be given at most: no key makes keys, and none runs the deployment."""


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What a key is limited to beyond its owner's limits; None: nothing more.

    What a GPU second and a day are, `gateway.domain.budgets` says.
    """

    requests_per_min: int | None = None
    gpu_s_per_day: float | None = None
    concurrent_sessions: int | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks.

    `owner` is the opaque name that rows store, at most 64 characters; nobody else's objects are
    shown to him. `is_known` tells one who can be recognised the next time from one who is but an
    address: what he makes is nobody's. `session_id` is that of his sign-in, not of a try-on.
    """

    owner: str
    kind: Kind
    scopes: frozenset[Scope]
    roles: frozenset[Role] = frozenset()
    is_known: bool = True
    by_cookie: bool = False
    session_id: str | None = None
    key_id: str | None = None
    limits: KeyLimits = field(default_factory=KeyLimits)

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody vouches for him."""
        return self.kind is Kind.ANONYMOUS

    @property
    def keeper(self) -> str | None:
        """Who alone may use again what he leaves here; None for one who is but an address."""
        return self.owner if self.is_known else None

    def may(self, scope: Scope) -> bool:
        """Whether a route that needs this scope is open to him."""
        return scope in self.scopes


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows of its sender, unchecked; at most one of the first two is looked at."""

    bearer: str | None = None
    cookie: str | None = None
    visitor: str | None = None
    address: str = ""
    user_agent: str = ""


def administrator() -> Caller:
    """Whoever holds the deployment's own token."""
    roles = frozenset({Role.USER, Role.ADMIN})
    return Caller("admin", Kind.ADMIN, ADMIN_SCOPES, roles)


def visitor(token: str, scopes: frozenset[Scope] = VISITOR_SCOPES) -> Caller | None:
    """Whoever holds a random token; None where it is too short, or too odd, to be safe."""
    if _VISITOR_TOKEN.fullmatch(token) is None:
        return None
    return Caller(visitor_owner(token), Kind.ANONYMOUS, scopes)


def visitor_owner(token: str) -> str:
    """Whose objects a visitor's token opens; the token cannot be told from it."""
    return f"visitor:{blake2b(token.encode(), digest_size=_OWNER_BYTES).hexdigest()}"


def stranger(address: str, salt: bytes, scopes: frozenset[Scope] = VISITOR_SCOPES) -> Caller:
    """Whoever shows nothing: one name per address while the salt (at most 64 bytes) lives.

    The address cannot be told from the name.
    """
    name = blake2b(address.encode(), key=salt, digest_size=_ADDRESS_BYTES).hexdigest()
    return Caller(f"address:{name}", Kind.ANONYMOUS, scopes, is_known=False)


def user_owner(subject: str) -> str:
    """Whose objects a signed-in user's are."""
    return f"user:{subject}"
