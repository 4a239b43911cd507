import asyncio
from secrets import token_bytes

import pytest

from gateway.adapters.clock import SystemClock
from gateway.adapters.memory import MemoryResultMemo
from gateway.adapters.objects import ObjectStoreAdapter
from gateway.domain.uploads import ImageType
from gateway.errors.kinds import StorageFailed
from gateway.services.results import LinkRules, ResultService

pytestmark = pytest.mark.anyio


class Interrupted(ObjectStoreAdapter):
    """A store in memory in which the second picture does not come to its end."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("memory://")
        self.error = error
        self.puts = 0

    async def put(self, key: str, content: bytes, media_type: str) -> None:
        self.puts += 1
        await super().put(key, content, media_type)
        if self.puts == 2:
            raise self.error


@pytest.mark.parametrize("error", [asyncio.CancelledError(), StorageFailed()])
async def test_a_result_is_kept_whole_or_not_at_all(error: BaseException) -> None:
    store, clock = Interrupted(error), SystemClock()
    memo, rules = MemoryResultMemo(clock, 60, 10), LinkRules(b"secret", 60, "")
    results = ResultService(store, memo, clock, token_bytes, 60, rules)
    with pytest.raises(type(error)):
        await results.keep("key", [b"one", b"two", b"three"], ImageType.JPEG, {})
    assert [key async for key in store.keys("results")] == []
    assert await results.recall("key") is None
