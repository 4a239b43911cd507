"""What a request shows of its sender: one place that knows the names of headers."""

from typing import Final

from fastapi.requests import HTTPConnection

from gateway.domain.identity import Credentials

USER_TOKEN: Final = "X-User-Token"  # noqa: S105 - a header's name
KEY_HEADER: Final = "X-API-Key"
_SCHEMES: Final = frozenset({"bearer", "key", "token"})


def credentials_of(connection: HTTPConnection) -> Credentials:
    """Read the headers of an HTTP or a WebSocket request, unchecked."""
    headers = connection.headers
    client = connection.client
    return Credentials(
        bearer=_bearer(headers.get("authorization")) or headers.get(KEY_HEADER),
        visitor=headers.get(USER_TOKEN),
        address="" if client is None else client.host,
        user_agent=headers.get("user-agent", ""),
    )


def _bearer(header: str | None) -> str | None:
    """What follows a scheme of ours; `Key` and `Token` are how some clients send their keys."""
    scheme, _, value = (header or "").partition(" ")
    return value.strip() if scheme.lower() in _SCHEMES else None
