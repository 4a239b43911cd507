"""What workers remember of pictures, and how they are made to forget it."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import structlog
from pydantic import JsonValue

from gateway.domain.jobs import Job
from gateway.ports.erasing import Workers
from gateway.ports.storage import ObjectStore

_AT_ONCE: Final = 500
_MOST_UNTOLD: Final = 100_000


@dataclass(frozen=True, slots=True)
class Told:
    """How many models' workers have forgotten, and how many entries were dropped where asked.

    None where nobody knows which of them were whose.
    """

    workers: int = 0
    entries: int | None = 0


def digest_of(content: bytes) -> str:
    """A picture's name towards the workers: they know it by the bytes that they were sent."""
    return sha256(content).hexdigest()


async def digests_in(store: ObjectStore, keys: Iterable[str]) -> frozenset[str]:
    """The names of stored pictures towards the workers; one is held at a time."""
    digests = set[str]()
    for key in keys:
        content = await store.get(key)
        if content is not None:
            digests.add(digest_of(content))
    return frozenset(digests)


class WorkerMemory:
    """Tells the workers of every model; those that were away are told again.

    One that cannot be told for long has forgotten by itself: nothing is remembered beyond an age.
    """

    def __init__(self, workers: Workers, models: Iterable[str]) -> None:
        self._workers = workers
        self._untold: dict[str, set[str]] = {model: set() for model in models}

    async def forget(self, pictures: Collection[str], request_id: str = "") -> Told:
        """Have pictures forgotten, by `digest_of`; never raises."""
        if not pictures:
            return Told()
        asked = [self._tell(model, set(pictures), request_id) for model in self._untold]
        entries = await asyncio.gather(*asked)
        heard = [count for count in entries if count is not None]
        return Told(len(heard), sum(heard))

    async def retry(self) -> None:
        """Tell those again who were away."""
        for model, pictures in self._untold.items():
            if pictures:
                self._untold[model] = set()
                await self._tell(model, pictures, "")

    async def _tell(self, model: str, pictures: set[str], request_id: str) -> int | None:
        named, entries = sorted(pictures), 0
        for first in range(0, len(named), _AT_ONCE):
            some: list[JsonValue] = [*named[first : first + _AT_ONCE]]
            params: dict[str, JsonValue] = {"task": "forget", "pictures": some}
            job = Job(model, params, {}, request_id, is_shown=False)
            dropped = await self._workers.tell(job)
            if dropped is None:
                if len(self._untold[model]) < _MOST_UNTOLD:
                    self._untold[model] |= set(named[first:])
                log = structlog.get_logger(__name__)
                log.warning("a model's workers are yet to forget", model=model)
                return None
            entries += dropped
        return entries
