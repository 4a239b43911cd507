"""Processes of a deployment: gateways as uvicorn serves them, and a stand-in for TorchServe.

Each may be killed at any moment, and comes back on its port as a supervisor would have it. All are
forked from a process that has imported everything, so that to begin again takes no second.
"""

import asyncio
import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

from tests.servers.process import DidNotStart, held_port

_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "benchmarks.sessions.gateways",
        "gateway.__main__",
        "alembic.config",
        "alembic.migration",
        "alembic.operations",
        "alembic.script",
        "sqlalchemy.dialects.postgresql.asyncpg",
        "sqlalchemy.dialects.sqlite.aiosqlite",
        "redis.asyncio",
        "tests.gateway.torchserve_stand_in",
    ]
)
_START_S: Final = 60.0
_POLL_S: Final = 0.02
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)


class Killable:
    """A process that runs `work(port, *told)`; it ends with this one."""

    def __init__(self, name: str, log: Path, work: Callable[..., None], *told: Any) -> None:  # noqa: ANN401
        self.name: Final = name
        self._holds: Final = held_port()
        self.port: Final[int] = self._holds.getsockname()[1]
        self._log = log
        self._told = (work, log, self.port, *told)
        self._turn = threading.Lock()
        self._process = self._begun()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def restart(self) -> None:
        """Be killed in the midst of whatever it does (kill -9), and begin again."""
        with self._turn:
            self._process.kill()
            self._begin_again()

    def revive(self) -> None:
        """Begin again, if it has ended: as when what it needs was away at its start."""
        with self._turn:
            if not self._process.is_alive():
                self._begin_again()

    def kill(self) -> None:
        """Be killed, for good."""
        with self._turn:
            self._process.kill()
            self._process.join()
            self._holds.close()

    def _begin_again(self) -> None:
        self._process.join()
        self._process = self._begun()

    def _begun(self) -> BaseProcess:
        process: BaseProcess = _FORKS.Process(target=_run, args=self._told, daemon=True)
        process.start()
        return process

    def await_ready(self) -> None:
        """Wait until it listens; raises DidNotStart."""
        end = time.monotonic() + _START_S
        while not _listens(self.port):
            if not self._process.is_alive() or time.monotonic() > end:
                told = self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""
                raise DidNotStart(f"{self.name}: {told}")
            time.sleep(_POLL_S)


def gateway(name: str, log: Path, settings: Mapping[str, str]) -> Killable:
    """A gateway with these settings, by the names that they have in the environment."""
    return Killable(name, log, _serve_gateway, dict(settings))


def stand_in(log: Path, takes_s: float) -> Killable:
    """What answers as TorchServe does, every try-on taking so long."""
    return Killable("torchserve", log, _serve_stand_in, takes_s)


def _run(work: Callable[..., None], log: Path, *told: Any) -> None:  # noqa: ANN401
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with log.open("ab", buffering=0) as output:
        os.dup2(output.fileno(), sys.stdout.fileno())
        os.dup2(output.fileno(), sys.stderr.fileno())
    work(*told)


def _serve_gateway(port: int, settings: Mapping[str, str]) -> None:
    from gateway.__main__ import main  # noqa: PLC0415 - in the process that is a gateway

    os.environ |= settings
    sys.argv = ["gateway", "--port", str(port)]
    sys.exit(main())


def _serve_stand_in(port: int, takes_s: float) -> None:
    from tests.gateway.torchserve_stand_in import StandIn, serve  # noqa: PLC0415

    async def answer() -> None:
        async with serve(StandIn(delay_s=takes_s).app(), port):
            await asyncio.Event().wait()

    asyncio.run(answer())


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
