"""A runner that is killed before one of its steps: each await that waits is a step."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from typing import Any

from gateway.adapters.clock import SystemClock
from tests.gateway.sessions.workshop import QUICK, Place, opened

CALM = QUICK.model_copy(update={"beat_s": 5.0, "poll_s": 5.0})


class Steps(Coroutine[Any, Any, Any]):
    """A coroutine whose every step is announced before it is taken."""

    def __init__(self, inner: Coroutine[Any, Any, Any], before: Callable[[], None]) -> None:
        self._inner = inner
        self._before = before

    def send(self, value: Any) -> Any:  # noqa: ANN401 - as coroutines have it
        self._before()
        return self._inner.send(value)

    def throw(self, *error: Any) -> Any:  # noqa: ANN401
        self._before()
        return self._inner.throw(*error)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Any:  # noqa: ANN401
        return self._inner.__await__()


class Failpoints:
    """Counts the steps of every task that begins from now on, and dies before one of them."""

    def __init__(self, fatal: int | None) -> None:
        self.passed = 0
        self._fatal = fatal

    def install(self) -> None:
        """Watch the tasks of the running loop."""
        asyncio.get_running_loop().set_task_factory(self._task)

    def _task(
        self,
        loop: asyncio.AbstractEventLoop,
        inner: Any,  # noqa: ANN401
        **told: Any,  # noqa: ANN401
    ) -> "asyncio.Task[Any]":
        return asyncio.Task(Steps(inner, self._pass), loop=loop, **told)

    def _pass(self) -> None:
        if self.passed == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        self.passed += 1


def run_until_killed(
    place: Place, session_id: str, engine: str, fatal: int | None, told: Connection
) -> None:
    """Run one session's engine; tells how many steps it took, if it lives to tell it."""
    points = Failpoints(fatal)
    asyncio.run(_run(place, session_id, engine, points))
    told.send(points.passed)


async def _run(place: Place, session_id: str, engine: str, points: Failpoints) -> None:
    async with opened(place, SystemClock(), [engine], CALM) as sessions:
        points.install()
        async with sessions.running():
            await sessions.service.wait(session_id, engine, 60)
