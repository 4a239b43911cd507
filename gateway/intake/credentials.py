"""What a request shows of its sender: one place that knows the names of headers."""

from typing import Final

from fastapi.requests import HTTPConnection

from gateway.domain.identity import Credentials

USER_TOKEN: Final = "X-User-Token"  # noqa: S105 - a header's name
KEY_HEADER: Final = "X-API-Key"
_SCHEMES: Final = frozenset({"bearer", "key", "token"})


def credentials_of(connection: HTTPConnection, cookie: str = "") -> Credentials:
    """Read an HTTP or a WebSocket request, unchecked; `cookie` names that of an access token."""
    headers = connection.headers
    client = connection.client
    bearer = _bearer(headers.get("authorization"))
    return Credentials(
        bearer=headers.get(KEY_HEADER) if bearer is None else bearer,
        cookie=connection.cookies.get(cookie) or None,
        visitor=headers.get(USER_TOKEN),
        address="" if client is None else client.host,
        user_agent=headers.get("user-agent", ""),
    )


def _bearer(header: str | None) -> str | None:
    """What follows a scheme of ours; `Key` and `Token` are how some clients send their keys."""
    scheme, _, value = (header or "").partition(" ")
    return value.strip() if scheme.lower() in _SCHEMES else None
