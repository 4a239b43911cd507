"""Asks the application in this process for a WebSocket, and hears what it answers instead."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
from fastapi import FastAPI


async def asked_by_socket(app: FastAPI, url: str, headers: Mapping[str, str]) -> httpx.Response:
    """The answer to a handshake: 101 where the socket was opened."""
    at, sent = urlsplit(url), []
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": unquote(at.path),
        "raw_path": at.path.encode(),
        "query_string": at.query.encode(),
        "headers": [(b"host", b"gateway")]
        + [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("gateway", 80),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    heard = iter([{"type": "websocket.connect"}])

    async def receive() -> dict[str, Any]:
        return next(heard, {"type": "websocket.disconnect", "code": 1001})

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
        sent.append(message)

    await app(scope, receive, send)
    first = sent[0]
    if first["type"] == "websocket.accept":
        return httpx.Response(httpx.codes.SWITCHING_PROTOCOLS)
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return httpx.Response(first["status"], headers=first["headers"], content=content)
