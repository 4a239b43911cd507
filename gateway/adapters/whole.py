"""Work that comes to its end once it has begun, whoever goes away meanwhile."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Method = Callable[P, Coroutine[Any, Any, T]]


def whole(method: Method[P, T]) -> Method[P, T]:
    """Let a method go on to its end when it is cancelled, and only then be cancelled.

    A driver that is stopped within a statement leaves a connection that nobody can use or close; a
    store that is stopped while it writes may write all the same, when nobody knows of it any more.
    """

    @wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(method(*args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # looked at: nobody is there to be told
            raise

    return run
