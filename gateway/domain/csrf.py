"""Tokens that only a page of ours can send back: a signed double submit, bound to a sign-in.

After OWASP's "Signed Double-Submit Cookie". A page of another origin makes a browser send cookies,
but can neither read nor set them; and one sign-in's token is worth nothing to another.
"""

import hmac
from hashlib import sha256
from typing import Final

_RANDOM_CHARS: Final = 32
RANDOM_BYTES: Final = _RANDOM_CHARS // 2


def csrf_token(secret: bytes, session_id: str, random: bytes) -> str:
    """A token for a sign-in; `random` is RANDOM_BYTES long."""
    return f"{random.hex()}.{_mac(secret, session_id, random.hex())}"


def is_csrf_token(secret: bytes, session_id: str, sent: str, cookie: str) -> bool:
    """Whether what was sent beside a cookie is the cookie's, and was made for this sign-in."""
    random, dot, mac = sent.partition(".")
    if not dot or len(random) != _RANDOM_CHARS:
        return False
    same = hmac.compare_digest(sent.encode("utf-8", "replace"), cookie.encode("utf-8", "replace"))
    ours = hmac.compare_digest(
        mac.encode("utf-8", "replace"), _mac(secret, session_id, random).encode()
    )
    return same and ours


def is_same_origin(
    site: str | None, origin: str | None, host: str, trusted: frozenset[str]
) -> bool:
    """Whether a browser says that a page of ours made the request.

    `site` is Sec-Fetch-Site, `origin` Origin, `host` this server's own name and port. `trusted`
    are other origins that are ours. A browser that says nothing at all is not believed.
    """
    if origin is not None:
        return origin in trusted or (_host(origin) == host and site in {None, "same-origin"})
    return site == "same-origin"


def _host(origin: str) -> str | None:
    scheme, _, host = origin.partition("://")
    return host if scheme in {"http", "https"} and host else None


def _mac(secret: bytes, session_id: str, random: str) -> str:
    return hmac.new(secret, f"csrf\n{session_id}\n{random}".encode(), sha256).hexdigest()
