"""Signed, short-lived links: whoever holds one may fetch one object until the link expires."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode

from gateway.errors.tokens import LinkExpired, LinkInvalid

_MAX_DIGITS: Final = 12


def sign(secret: bytes, path: str, expires_at: int) -> str:
    """The signature (64 hexadecimal digits) that binds `path` to its expiry (Unix seconds)."""
    return hmac.new(secret, f"{path}\n{expires_at}".encode(), sha256).hexdigest()


def signed_path(secret: bytes, path: str, expires_at: int) -> str:
    """The path with its expiry and signature as a query."""
    query = {"expires": expires_at, "signature": sign(secret, path, expires_at)}
    return f"{path}?{urlencode(query)}"


def verify(secret: bytes, path: str, expires: str, signature: str, now: float) -> None:
    """Accept a link or raise: LinkInvalid when it is not ours, LinkExpired when it is too late."""
    plain = expires.isascii() and expires.isdecimal() and len(expires) <= _MAX_DIGITS
    if not plain or str(int(expires)) != expires:
        raise LinkInvalid
    expected = sign(secret, path, int(expires))
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise LinkInvalid
    if now >= int(expires):
        raise LinkExpired
