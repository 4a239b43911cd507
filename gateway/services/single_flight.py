"""The same work asked for several times at once is done once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Work under way, by what identifies it.

    Whoever asks for it while it runs gets the same outcome, an error included; it goes on when
    one of them goes away.
    """

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Future[T]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    async def join(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        """Join the work under this key; start it when nobody has."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.ensure_future(work())
            flight.add_done_callback(lambda _: self._flights.pop(key))
        return await asyncio.shield(flight)
