"""Token buckets, in memory or in Redis; one that is away is replaced, never left out.

throttled-py's `gcra` is an exact token bucket; its `token_bucket` counts whole seconds, and loses
tokens at rates like ours.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from throttled.asyncio import BaseStore, MemoryStore, RedisStore, RedisStoreBackend, per_min
from throttled.asyncio.rate_limiter.gcra import GCRARateLimiter
from throttled.exceptions import StoreUnavailableError

from gateway.adapters.breaker import BreakerRules
from gateway.domain.limits import Bucket, Rate, Spent
from gateway.errors.kinds import GatewayError, StorageFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from throttled.types import AsyncRedisClientP

    from gateway.adapters.breaker import Breaker, Breakers
    from gateway.ports.limits import Limiter
    from gateway.settings.limits import LimitSettings

_NAME: Final = "limits"
_PREFIX: Final = "vton:limits"
_FAILURES: Final = 3


class Buckets:
    """Implements the Limiter port on one of throttled-py's stores."""

    def __init__(self, kept: BaseStore) -> None:
        self._store = kept
        self._made: dict[Rate, GCRARateLimiter] = {}

    async def spend(self, bucket: Bucket, tokens: int = 1) -> Spent:
        """Take tokens, unless there are too few; raises StoreUnavailableError."""
        found = await self._of(bucket.rate).limit(bucket.name, tokens)
        state = found.state
        return Spent(bucket, found.limited, state.remaining, state.reset_after, state.retry_after)

    def _of(self, rate: Rate) -> GCRARateLimiter:
        if rate not in self._made:
            quota = per_min(rate.per_min, burst=rate.burst)
            self._made[rate] = GCRARateLimiter(quota, self._store, key_prefix=_PREFIX)
        return self._made[rate]


class SharedBuckets:
    """Implements the Limiter port: as the shared store says, or this process while it is away.

    What the shared store lets pass is taken from the own buckets, too: they know of it when they
    are needed. `on_away` hears of every decision that was made without the store.
    """

    def __init__(
        self, shared: Limiter, own: Limiter, breaker: Breaker, on_away: Callable[[], None]
    ) -> None:
        self._shared = shared
        self._own = own
        self._breaker = breaker
        self._on_away = on_away

    async def spend(self, bucket: Bucket, tokens: int = 1) -> Spent:
        """Take tokens, unless there are too few."""
        try:
            async with self._breaker.calling():
                spent = await self._shared.spend(bucket, tokens)
        except (GatewayError, StoreUnavailableError, OSError):
            self._on_away()
            return await self._own.spend(bucket, tokens)
        if not spent.is_over:
            await self._own.spend(bucket, tokens)
        return spent


@asynccontextmanager
async def open_limiter(
    told: LimitSettings, breakers: Breakers, on_away: Callable[[], None]
) -> AsyncIterator[Limiter]:
    """The buckets that the settings name."""
    own, url = own_buckets(told.max_buckets), told.url.get_secret_value()
    if not url:
        yield own
        return
    rules = BreakerRules(failures=_FAILURES, reset_s=told.reset_s, timeout_s=told.timeout_s)
    breaker = breakers.breaker(_NAME, StorageFailed, rules)
    async with redis_buckets(url, told.timeout_s) as shared:
        yield SharedBuckets(shared, own, breaker, on_away)


def own_buckets(max_buckets: int) -> Buckets:
    """Buckets of this process alone; the least used are forgotten when there are too many."""
    return Buckets(MemoryStore(options={"MAX_SIZE": max_buckets}))


@asynccontextmanager
async def redis_buckets(url: str, timeout_s: float) -> AsyncIterator[Buckets]:
    """Buckets in the Redis at `url`, whose clock is the one that counts."""
    client = Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=timeout_s,
        socket_timeout=timeout_s,
    )
    async with client:
        yield Buckets(_RedisStore(client))


class _RedisBackend(RedisStoreBackend):
    """A connection of ours: throttled-py closes none of its own."""

    def __init__(self, client: Redis) -> None:
        super().__init__()
        self._client = cast("AsyncRedisClientP", client)


class _RedisStore(RedisStore):
    def __init__(self, client: Redis) -> None:
        super().__init__()
        self._backend = _RedisBackend(client)
