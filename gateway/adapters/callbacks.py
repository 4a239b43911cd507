"""Who waits for a call back from outside, by a secret that only the called one was given."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Expected:
    """One call that is waited for: its secret, and what it brings."""

    token: str
    content: "asyncio.Future[bytes]" = field(repr=False)


class CallbackDesk:
    """Hands what comes to whoever waits for it here; nobody else's secret opens anything."""

    def __init__(self) -> None:
        self._expected: dict[bytes, asyncio.Future[bytes]] = {}

    @contextmanager
    def expecting(self) -> Iterator[Expected]:
        """Wait for a call for the length of the block."""
        token = secrets.token_urlsafe(_SECRET_BYTES)
        future = asyncio.get_running_loop().create_future()
        self._expected[_digest(token)] = future
        try:
            yield Expected(token, future)
        finally:
            del self._expected[_digest(token)]
            future.cancel()

    def take(self, token: str, content: bytes) -> bool:
        """Take a call; whether anybody waits for it here. A repetition changes nothing."""
        future = self._expected.get(_digest(token))
        if future is None:
            return False
        if not future.done():
            future.set_result(content)
        return True


def _digest(token: str) -> bytes:
    """Looked up by its digest, a secret cannot be guessed character by character."""
    return sha256(token.encode("utf-8", "replace")).digest()
