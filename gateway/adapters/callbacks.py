"""Who waits for a call back from outside, by a secret that only the called one was given."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

_SECRET_BYTES: Final = 32
_MOST_UNREAD: Final = 8


@dataclass(frozen=True, slots=True)
class Expected:
    """What is waited for: the secret of whoever may call, and the bodies of its calls."""

    token: str
    calls: "asyncio.Queue[bytes]" = field(repr=False)


class CallbackDesk:
    """Hands what comes to whoever waits for it here; nobody else's secret opens anything."""

    def __init__(self) -> None:
        self._expected: dict[bytes, asyncio.Queue[bytes]] = {}

    @contextmanager
    def expecting(self) -> Iterator[Expected]:
        """Wait for calls for the length of the block."""
        token = secrets.token_urlsafe(_SECRET_BYTES)
        calls = asyncio.Queue[bytes](_MOST_UNREAD)
        self._expected[_digest(token)] = calls
        try:
            yield Expected(token, calls)
        finally:
            del self._expected[_digest(token)]

    def take(self, token: str, content: bytes) -> bool:
        """Take a call; whether anybody waits for it here. What nobody reads in time is left out."""
        calls = self._expected.get(_digest(token))
        if calls is None:
            return False
        with suppress(asyncio.QueueFull):
            calls.put_nowait(content)
        return True


def _digest(token: str) -> bytes:
    """Looked up by its digest, a secret cannot be guessed character by character."""
    return sha256(token.encode("utf-8", "replace")).digest()
