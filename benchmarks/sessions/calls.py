"""Calls of an application in this process: no socket and no client between it and the clock."""

import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.types import ASGIApp

_BOUNDARY: Final = "a-boundary-of-our-own"
_END: Final = {"type": "http.disconnect"}


@dataclass(frozen=True, slots=True)
class Call:
    """A request as a server hands it over."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def scope(self) -> dict[str, Any]:
        """What the protocol says of it."""
        path, _, query = self.path.partition("?")
        told = {"host": "gateway", "content-length": str(len(self.body)), **self.headers}
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), told[name].encode()) for name in told],
            "client": ("127.0.0.1", 40_000),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """The body, read."""
        return json.loads(self.body)


async def send(app: ASGIApp, call: Call) -> Answer:
    """Have an application answer."""
    status, parts = 0, list[bytes]()
    questions = [{"type": "http.request", "body": call.body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        return questions.pop() if questions else dict(_END)

    async def answered(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    await app(call.scope(), receive, answered)
    return Answer(status, b"".join(parts))


def form(files: Sequence[tuple[str, bytes]]) -> tuple[bytes, Mapping[str, str]]:
    """JPEG files as a form: its body and its headers."""
    parts = [
        (
            f"--{_BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="{name}"; filename="{name}.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        ).encode()
        + content
        + b"\r\n"
        for name, content in files
    ]
    body = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
    return body, {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
