"""What an access token must say to be one of ours; whether it is signed is found out elsewhere.

The claims are those of Supabase Auth's token schema (`internal/tokens`), the rules those of
RFC 7519 and RFC 8725: everything that decides comes from the configuration, nothing from the token.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from gateway.domain.identity import (
    ADMIN_SCOPES,
    USER_SCOPES,
    VISITOR_SCOPES,
    Caller,
    Kind,
    Role,
    user_owner,
)
from gateway.errors.tokens import TokenExpired, TokenInvalid

ASYMMETRIC: Final = frozenset({"ES256", "RS256"})
SYMMETRIC: Final = frozenset({"HS256"})
MAX_TOKEN_CHARS: Final = 8192
_ROLE: Final = "authenticated"
_HEADERS: Final = frozenset({"alg", "kid", "typ"})
_TYPES: Final = frozenset({"jwt", "at+jwt"})
_KID: Final = re.compile(r"[A-Za-z0-9._=-]{1,128}", re.ASCII)
_ID: Final = re.compile(r"[A-Za-z0-9-]{8,48}", re.ASCII)
_LATEST: Final = 1 << 40  # seconds; some 34,000 years from now


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a deployment accepts; `algorithms` is HS256 alone or some of ES256 and RS256."""

    algorithms: frozenset[str]
    issuer: str
    audience: str
    leeway_s: float
    admin_role: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a token that is ours says of its user; times are Unix seconds."""

    subject: str
    session_id: str
    issued_at: float
    expires_at: float
    is_anonymous: bool
    is_admin: bool

    @property
    def owner(self) -> str:
        """The name that rows store."""
        return user_owner(self.subject)

    def caller(self, *, by_cookie: bool) -> Caller:
        """Whoever shows the token."""
        scopes = ADMIN_SCOPES if self.is_admin else USER_SCOPES
        return Caller(
            owner=self.owner,
            kind=Kind.ANONYMOUS if self.is_anonymous else Kind.USER,
            scopes=VISITOR_SCOPES if self.is_anonymous else scopes,
            roles=frozenset({Role.USER, Role.ADMIN} if self.is_admin else {Role.USER}),
            by_cookie=by_cookie,
            session_id=self.session_id,
        )


def checked_header(header: Mapping[str, object], rules: TokenRules) -> tuple[str, str]:
    """The algorithm and the key's id; raises TokenInvalid.

    A header that says more is refused: `jku`, `x5u`, `jwk` and `x5c` would choose the key, `crit`
    and `b64` change how the token is to be read.
    """
    algorithm, kid = header.get("alg"), header.get("kid", "")
    if header.keys() - _HEADERS:
        raise TokenInvalid("header of another kind")
    if not isinstance(algorithm, str) or algorithm not in rules.algorithms:
        raise TokenInvalid("algorithm not accepted")
    if str(header.get("typ", "JWT")).lower() not in _TYPES:
        raise TokenInvalid("type of another kind")
    needs_kid = algorithm in ASYMMETRIC
    if not isinstance(kid, str) or ((needs_kid or kid) and _KID.fullmatch(kid) is None):
        raise TokenInvalid("key id of another form")
    return algorithm, kid


def checked_claims(claims: Mapping[str, JsonValue], rules: TokenRules, now: float) -> Verified:
    """What a signed token says; raises TokenInvalid or TokenExpired."""
    expires_at = _time(claims, "exp")
    issued_at = _time(claims, "iat")
    starts_at = _time(claims, "nbf") if "nbf" in claims else issued_at
    if claims.get("iss") != rules.issuer:
        raise TokenInvalid("issuer")
    audience = claims.get("aud")
    if rules.audience not in (audience if isinstance(audience, list) else [audience]):
        raise TokenInvalid("audience")
    if claims.get("role") != _ROLE:
        raise TokenInvalid("role")
    if max(issued_at, starts_at) > now + rules.leeway_s:
        raise TokenInvalid("not valid yet")
    if expires_at + rules.leeway_s <= now:
        raise TokenExpired("expired")
    return Verified(
        subject=_id(claims, "sub"),
        session_id=_id(claims, "session_id"),
        issued_at=issued_at,
        expires_at=expires_at,
        is_anonymous=claims.get("is_anonymous") is True,
        is_admin=_is_admin(claims, rules),
    )


def _time(claims: Mapping[str, JsonValue], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenInvalid(f"{name} missing")
    if not math.isfinite(value) or not 0 < value < _LATEST:
        raise TokenInvalid(f"{name} out of range")
    return float(value)


def _id(claims: Mapping[str, JsonValue], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise TokenInvalid(f"{name} missing")
    return value


def _is_admin(claims: Mapping[str, JsonValue], rules: TokenRules) -> bool:
    """By `app_metadata.role`, which only the server writes; a user writes `user_metadata`."""
    told = claims.get("app_metadata")
    return (
        isinstance(told, dict) and bool(rules.admin_role) and told.get("role") == rules.admin_role
    )
