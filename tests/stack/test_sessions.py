"""Whoever watches a session sees all of it, whatever becomes of the server meanwhile."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

import pytest

from gateway.stack.client import ServerAway, TryOnRefused
from gateway.stack.sessions import Sessions

MINE: Final = "a" * 32
Answer = tuple[int, dict[str, str], bytes]


def event(number: int, state: str) -> bytes:
    return b'id: %d\nevent: state\ndata: {"state": "%s"}\n\n' % (number, state.encode())


def stream(*events: bytes, missing: int = 0) -> Answer:
    """A stream, which breaks off so many bytes before its end."""
    body = b"".join(events)
    return 200, {"Content-Length": str(len(body) + missing)}, body


BEGUN: Final = stream(event(1, "created"))
ENDED: Final = stream(event(2, "processing"), event(3, "completed"))


class Server:
    """Gives one answer after the other, and remembers what each was asked behind."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self._port = 0
        self.start()

    def start(self) -> None:
        """Serve, at the same address as before."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(urlsplit(self.path).query)
                status, headers, body = server.answers.pop(0)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,)).start()

    def stop(self) -> None:
        """Be away."""
        self._server.shutdown()
        self._server.server_close()

    def sessions(self) -> Sessions:
        """Its sessions, of somebody in a hurry."""
        return Sessions(f"http://127.0.0.1:{self._port}", None, pause_s=0.001)


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    made: list[Server] = []
    yield made
    for server in made:
        server.stop()


def states(server: Server, heard: list[str]) -> list[str]:
    return [told.data["state"] for told in server.sessions().watch(MINE, heard.append)]


@pytest.mark.parametrize(
    "away",
    [
        (503, {"Retry-After": "0"}, b"{}"),
        (429, {}, b"Slow down"),
        (502, {}, b"<html>"),
        stream(),
        stream(missing=9),
    ],
)
def test_it_goes_on_behind_what_was_seen(servers: list[Server], away: Answer) -> None:
    servers.append(server := Server(BEGUN, away, away, ENDED))
    heard: list[str] = []
    assert states(server, heard) == ["created", "processing", "completed"]
    assert server.asked == ["after=0", "after=1", "after=1", "after=1"]
    assert len(heard) == 3


def test_a_server_that_is_replaced_is_waited_for(servers: list[Server]) -> None:
    servers.append(server := Server(BEGUN, ENDED))
    heard: list[str] = []

    def away(why: str) -> None:
        heard.append(why)
        server.stop() if len(heard) == 1 else server.start()

    seen = [told.data["state"] for told in server.sessions().watch(MINE, away)]
    assert seen == ["created", "processing", "completed"]
    assert "does not answer" in heard[1]


def test_whoever_comes_back_behind_the_end_is_done(servers: list[Server]) -> None:
    servers.append(server := Server(BEGUN, (204, {}, b"")))
    assert states(server, []) == ["created"]


def test_a_server_that_was_never_there_is_told_at_once(servers: list[Server]) -> None:
    servers.append(server := Server((503, {}, b"{}")))
    with pytest.raises(ServerAway):
        states(server, [])


def test_what_is_refused_for_good_is_not_asked_again(servers: list[Server]) -> None:
    servers.append(server := Server(BEGUN, (404, {}, b"{}")))
    with pytest.raises(TryOnRefused, match="404"):
        states(server, [])
