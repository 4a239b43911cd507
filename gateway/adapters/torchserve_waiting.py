"""Requests that no frame has come for, and which of them died with a worker.

TorchServe drops the batch of a worker that dies before its first frame, without an answer. It
takes batches from the head of its queue; so the lost ones are among those that wait longest.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.adapters.torchserve_answers import RetryError
from gateway.domain.jobs import ModelState, Readiness
from gateway.errors.kinds import GatewayError, InferenceFailed, TimedOut

_ANSWERED = frozenset({Readiness.READY, Readiness.LOADING})


class Wait:
    """One request's patience, in seconds; it must be used up within its time limit."""

    def __init__(self, limit: asyncio.Timeout) -> None:
        self._limit = limit
        self.has_begun = False
        self.is_lost = False

    @property
    def until(self) -> float:
        """When the patience ends, on the event loop's clock."""
        return self._limit.when() or 0.0

    def renew(self, patience_s: float) -> None:
        """Wait so much longer from now; 0 gives up. Too late, it changes nothing."""
        if not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + patience_s)

    def error(self) -> GatewayError | RetryError:
        """What it means that the patience ran out."""
        if self.has_begun:
            return TimedOut("The engine stopped answering.")
        if self.is_lost:
            return RetryError("worker_replaced", InferenceFailed(), crashed=True)
        return RetryError("no_frame", TimedOut(), crashed=True)


class WaitingLine:
    """Everyone who waits for an answer of one model, longest first.

    A request may wait `first_frame_s` while the line stands still, then `stall_s` between chunks.
    """

    def __init__(self, first_frame_s: float, stall_s: float) -> None:
        self._first_frame_s = first_frame_s
        self._stall_s = stall_s
        self._waits: list[Wait] = []
        self._workers: frozenset[int] = frozenset()
        self._batch_size = 1

    @asynccontextmanager
    async def join(self) -> AsyncIterator[Wait]:
        """Wait in line for the length of the block; raises what `Wait.error` says."""
        limit = asyncio.timeout(self._first_frame_s)
        wait = Wait(limit)
        self._waits.append(wait)
        try:
            async with limit:
                yield wait
        except TimeoutError as error:
            raise wait.error() from error
        finally:
            self._leave(wait)

    async def served(self, wait: Wait, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass the chunks of a request's answer on, renewing its patience with each one."""
        async for chunk in chunks:
            if not wait.has_begun:
                wait.has_begun = True
                for behind in self._leave(wait):
                    behind.renew(self._first_frame_s)
            wait.renew(self._stall_s)
            yield chunk

    def look(self, state: ModelState) -> None:
        """Compare the workers with those of the last look; gone ones took requests along."""
        if state.readiness not in _ANSWERED:
            return
        if self._workers - state.ready_pids:
            for lost in self._waits[: len(self._workers) * self._batch_size]:
                lost.is_lost = True
                lost.renew(0)
        self._workers, self._batch_size = state.ready_pids, state.batch_size

    def _leave(self, wait: Wait) -> list[Wait]:
        """Step out of the line; gives those who stood behind."""
        if wait not in self._waits:
            return []
        place = self._waits.index(wait)
        del self._waits[place]
        return self._waits[place:]
