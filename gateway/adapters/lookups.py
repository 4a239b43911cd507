"""Addresses of names that somebody outside has chosen, whose name server may be slow on purpose.

The operating system's lookup cannot be ended: it holds its thread for as long as it likes, even
when whoever asked has gone. So these have threads of their own, a few, and nobody else's wait.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

Resolve = Callable[[str, int], list[str]]
"""The addresses of a name and a port, as text; takes its time, and raises OSError."""


def _resolved(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class Lookups:
    """Looks up `at_once` names at once; the others take turns."""

    def __init__(self, at_once: int, resolve: Resolve = _resolved) -> None:
        self._threads: Final = ThreadPoolExecutor(at_once, "lookup")
        self._resolve: Final = resolve

    async def __call__(self, host: str, port: int) -> list[str]:
        """Every address of a name, once; raises OSError.

        Whoever is cancelled before his turn gives it up; later, the thread goes on to its end.
        """
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._resolve, host, port)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Begin no lookup any more, and wait for none."""
        self._threads.shutdown(wait=False, cancel_futures=True)
