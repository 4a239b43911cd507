"""The settings of what listens: HTTP, and WebSockets."""

from pydantic import Field

from gateway.settings.comma_lists import CommaList
from gateway.settings.section import Section


class HttpSettings(Section):
    """The listening socket and what every answer carries."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(
        default=8000, ge=0, le=65535, description="port to listen on; 0 picks a free one"
    )
    public_url: str = Field(
        default="", description="prefix of the links in answers; empty: relative links"
    )
    cors_origins: CommaList = Field(default=(), description="origins that may call from a browser")
    hsts: bool = Field(
        default=False,
        description="HTTPS alone: send HSTS, and send on what came to the proxy by http",
    )
    still_here_s: float = Field(
        default=15.0, gt=0, description="silence after which a stream of events says it is alive"
    )
    docs: bool = Field(default=True, description="serve /docs and /openapi.json")
    head_s: float = Field(default=15.0, gt=0, description="longest time for the head of a request")
    body_stall_s: float = Field(
        default=20.0, gt=0, description="longest pause within a request body"
    )
    body_s: float = Field(default=120.0, gt=0, description="longest time for a request body")
    answer_stall_s: float = Field(
        default=60.0, gt=0, description="longest time in which nothing of an answer is read"
    )
    socket_message_bytes: int = Field(
        default=4096, gt=0, description="largest message of a WebSocket, all its frames together"
    )
    socket_pause_s: float = Field(
        default=0.05, ge=0, description="least time between two messages that are heeded"
    )
    socket_ping_s: float = Field(
        default=20.0, gt=0, description="pause between two pings of a WebSocket"
    )
    socket_stall_s: float = Field(
        default=20.0, gt=0, description="time for its client to answer one, or to read what waits"
    )
    compress_min_bytes: int = Field(
        default=1024, ge=0, description="smaller answers are not compressed"
    )
    shutdown_s: int = Field(
        default=10, ge=0, description="time for open requests to end at shutdown"
    )
