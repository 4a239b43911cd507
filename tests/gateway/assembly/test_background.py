"""No unforeseen error ends what goes on beside the requests, and each is written down."""

import asyncio
import io
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from types import CoroutineType
from typing import Any

import pytest

from gateway.metrics import Metrics
from gateway.resources import open_resources
from gateway.settings.tree import Settings
from tests.gateway.live import until
from tests.gateway.logs import lines_of
from tests.gateway.running import CONFIGURATION

pytestmark = pytest.mark.anyio

_STILL_LOOKS = 20


@dataclass
class Worker:
    """A task that can be struck by an error wherever it waits, as if that is where it arose."""

    coroutine: "CoroutineType[Any, Any, Any]"
    task: asyncio.Task[Any] | None = None
    error: Exception | None = None
    blow: asyncio.Future[None] = field(default_factory=asyncio.Future)
    moves: int = 0

    @property
    def loop(self) -> str | None:
        """The name that its task was given."""
        assert self.task is not None
        name = self.task.get_name()
        return None if name.startswith("Task-") else name

    @property
    def name(self) -> str:
        return self.loop or self.coroutine.__qualname__

    @property
    def sees_to_others(self) -> bool:
        """It stands at the end of a task group: what it waits for are other workers."""
        frame: Any = self.coroutine
        while isinstance(frame, CoroutineType) and isinstance(frame.cr_await, CoroutineType):
            frame = frame.cr_await
        return bool(frame.__qualname__ == "TaskGroup.__aexit__")

    def strike(self, error: Exception) -> None:
        self.error = error
        self.blow.set_result(None)

    async def run(self) -> Any:  # noqa: ANN401 - whatever the coroutine gives
        """Do what a task does, by hand."""
        move: Callable[[Any], Any]
        value: Any
        move, value = self.coroutine.send, None
        while True:
            self.moves += 1
            try:
                waits_for = move(value)
            except StopIteration as end:
                return end.value
            move, value = self.coroutine.send, None
            if waits_for is None:
                await asyncio.sleep(0)
                continue
            try:
                await asyncio.wait({waits_for, self.blow}, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError as cancelled:
                waits_for.cancel()
                move, value = self.coroutine.throw, cancelled
                continue
            if self.error is not None:
                error, self.error, self.blow = self.error, None, asyncio.Future()
                move, value = self.coroutine.throw, error


class Workers:
    """Every task that is begun from here on."""

    def __init__(self) -> None:
        self._all: list[Worker] = []
        self._moves = self._looks = 0

    def begin(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Any,  # noqa: ANN401 - typeshed allows more than coroutines
        /,
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        worker = Worker(coroutine)
        self._all.append(worker)
        worker.task = asyncio.Task(worker.run(), loop=loop, context=context)
        return worker.task

    @property
    def at_work(self) -> list[Worker]:
        return [one for one in self._all if one.task is not None and not one.task.done()]

    @property
    def names(self) -> Counter[str]:
        return Counter(one.name for one in self.at_work)

    def have_settled(self) -> bool:
        """Whether nobody has moved for some looks."""
        moves = sum(one.moves for one in self._all)
        self._looks = self._looks + 1 if moves == self._moves else 0
        self._moves = moves
        return self._looks >= _STILL_LOOKS


@contextmanager
def hired() -> Iterator[Workers]:
    """Every task that is begun in the block is done by a worker."""
    loop, workers = asyncio.get_running_loop(), Workers()
    loop.set_task_factory(workers.begin)
    try:
        yield workers
    finally:
        loop.set_task_factory(None)


def settings_for(folder: Path, database_url: str) -> Settings:
    """A gateway that has everything going, and looks at it rarely."""
    for name, text in CONFIGURATION.items():
        (folder / name).write_text(text)
    nobody = "http://127.0.0.1:9"
    return Settings.model_validate(
        {
            "storage": {"url": "memory://"},
            "database": {"url": database_url},
            "torchserve": {"inference_url": nobody, "management_url": nobody},
            "tryon": {"engines_dir": folder},
            "sessions": {"poll_s": 60, "beat_s": 60},
            "webhooks": {"poll_s": 60},
        }
    )


async def strike(one: Worker, workers: Workers, log: io.StringIO) -> None:
    """The worker's loop says, under a name, what struck it and where, and is there again."""
    before, error = workers.names, f"RuntimeError: unforeseen by {one.name};"
    log.truncate(log.seek(0))
    one.strike(RuntimeError(f"unforeseen by {one.name};"))
    await until(lambda: error in log.getvalue())
    await until(lambda: workers.names == before)
    line = next(line for line in lines_of(log) if error in line.get("exception", ""))
    assert "Traceback" in line["exception"]
    assert line["endpoint"] == one.loop or (line["endpoint"] and one.loop is None)


@pytest.mark.slow
@pytest.mark.prop(33)
async def test_every_loop_of_the_gateway_outlives_an_unforeseen_error_and_tells_of_it(
    tmp_path: Path, database_url: str, log: io.StringIO
) -> None:
    with hired() as workers:
        async with open_resources(settings_for(tmp_path, database_url), Metrics()):
            await until(workers.have_settled)
            loops = workers.names
            for name, how_many in loops.items():
                for nth in range(how_many):
                    one = [one for one in workers.at_work if one.name == name][nth]
                    if not one.sees_to_others:
                        await strike(one, workers, log)
                        await until(workers.have_settled)
            assert workers.names == loops
