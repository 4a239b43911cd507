"""API keys of servers: `vton_<id>_<secret>`.

The id is public, and finds the key; of the secret, 256 random bits, only the SHA-256 is kept.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from gateway.domain.identity import Caller, KeyLimits, Kind, Role, Scope
from gateway.errors.tokens import TokenExpired, TokenInvalid

PREFIX: Final = "vton_"
SECRET_BYTES: Final = 32
ID_BYTES: Final = 6
_FORM: Final = re.compile(r"vton_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept; times are Unix seconds.

    `gpu_s_today` is what it has cost on this day of UTC.
    """

    key_id: str
    owner: str
    name: str
    digest: str
    scopes: frozenset[Scope]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None
    limits: KeyLimits = field(default_factory=KeyLimits)
    gpu_s_today: float = 0.0

    @property
    def prefix(self) -> str:
        """What its owner recognises it by."""
        return f"{PREFIX}{self.key_id}"

    def is_live(self, now: float) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def caller(self) -> Caller:
        """Whoever shows the key: he acts for its owner."""
        return Caller(
            owner=self.owner,
            kind=Kind.API_KEY,
            scopes=self.scopes,
            roles=frozenset({Role.USER}),
            key_id=self.key_id,
            limits=self.limits,
        )


def written(key_id: str, secret: bytes) -> str:
    """A key as its owner is shown it, once; `secret` is SECRET_BYTES long."""
    return f"{PREFIX}{key_id}_{urlsafe_b64encode(secret).rstrip(b'=').decode()}"


def digest_of(text: str) -> str:
    """What is kept of a key."""
    return sha256(text.encode()).hexdigest()


def id_within(text: str) -> str:
    """The public part of a key; raises TokenInvalid."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise TokenInvalid("API key of another form")
    return found[1]


def opened(key: ApiKey | None, text: str, now: float) -> ApiKey:
    """The key, if the text is all of it and it lives; raises TokenInvalid or TokenExpired."""
    expected = digest_of("") if key is None else key.digest
    fits = hmac.compare_digest(expected, digest_of(text))
    if key is None or not fits:
        raise TokenInvalid("API key not known")
    if key.revoked_at is not None:
        raise TokenInvalid("API key revoked")
    if not key.is_live(now):
        raise TokenExpired("API key expired")
    return key
