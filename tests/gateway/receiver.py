"""Somebody outside who is told of events, on loopback."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.gateway.torchserve_stand_in import serve


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers with the statuses it is told, then with 204; keeps what it received."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    statuses: deque[int] = field(default_factory=deque)
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    answer: bytes = b""
    is_silent: bool = False
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def has_received(self, requests: int) -> None:
        """Wait until so many have come."""
        async with self.came:
            await self.came.wait_for(lambda: len(self.received) >= requests)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        async with self.came:
            self.received.append(Received(scope["method"], scope["path"], headers, body))
            self.came.notify_all()
        if self.is_silent:
            await asyncio.Event().wait()
        status = self.statuses.popleft() if self.statuses else 200
        await send({"type": "http.response.start", "status": status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.answer})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens until the end of the block."""
    receiver = Receiver()
    async with serve(receiver) as url:
        receiver.url = url
        yield receiver
