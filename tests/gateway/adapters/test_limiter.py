"""Token buckets in memory and in a real Redis, against an exact one of fractions."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from fractions import Fraction

import pytest
import throttled.utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway.adapters.breaker import Breaker, BreakerRules, State
from gateway.adapters.limiter import Buckets, SharedBuckets, own_buckets, redis_buckets
from gateway.domain.limits import Bucket, Limit, Rate, Spent
from gateway.errors.kinds import StorageFailed
from gateway.ports.limits import Limiter
from tests.gateway.running import ManualClock
from tests.servers.redis_server import RedisServer

pytestmark = pytest.mark.anyio

RATES = (10, 20, 100)
ARRIVALS = ("at the limit", "twice the limit", "four fifths of it, in bursts")
DECISIONS = 2000
MICROSECOND = 10**6
PATIENT_S = 30.0
REDIS_EPOCH_S = 1735660800  # where throttled-py's script begins to count
# Moves every bucket back, which is the same as moving Redis's clock on, and tells the time.
ELAPSE = """
for _, key in ipairs(redis.call("KEYS", "vton:limits:*")) do
    redis.call("SET", key, string.format("%.17g", redis.call("GET", key) - ARGV[1]), "KEEPTTL")
end
local now = redis.call("TIME")
return {now[1], now[2]}
"""


@dataclass
class Exact:
    """A token bucket that rounds nothing."""

    rate: Rate
    last: Fraction
    tokens: Fraction

    @classmethod
    def full(cls, rate: Rate, now: Fraction) -> "Exact":
        return cls(rate, now, Fraction(rate.burst))

    def passes(self, now: Fraction, tokens: int = 1) -> bool:
        grown = self.tokens + (now - self.last) * Fraction(self.rate.per_min, 60)
        self.tokens, self.last = min(Fraction(self.rate.burst), grown), now
        if self.tokens < tokens:
            return False
        self.tokens -= tokens
        return True


def gaps_s(per_min: int, arrival: str) -> Iterator[float]:
    """Seconds between requests."""
    chance, mean = random.Random(f"{per_min} {arrival}"), 60 / per_min
    for _ in range(DECISIONS):
        if arrival == ARRIVALS[0]:
            yield chance.uniform(0.8 * mean, 1.25 * mean)
        else:
            yield chance.expovariate((2 if arrival == ARRIVALS[1] else 0.8) / mean)


class Time:
    """The monotonic clock as throttled-py sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = Fraction(1000)
        monkeypatch.setattr(throttled.utils, "now_mono_f", lambda: float(self.now_s))

    def go_on(self, seconds: float) -> Fraction:
        self.now_s += Fraction(round(seconds * MICROSECOND), MICROSECOND)
        return self.now_s


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def bucket(per_min: int, owner: str = "user:ann") -> Bucket:
    return Bucket(Limit.INFERENCE, owner, Rate(per_min))


@pytest.mark.parametrize("arrival", ARRIVALS)
@pytest.mark.parametrize("per_min", RATES)
async def test_in_memory_every_decision_is_the_exact_one(
    time: Time, per_min: int, arrival: str
) -> None:
    limiter, exact = own_buckets(10), Exact.full(Rate(per_min), time.now_s)
    passed = 0
    for gap_s in gaps_s(per_min, arrival):
        now = time.go_on(gap_s)
        spent = await limiter.spend(bucket(per_min))
        assert spent.is_over != exact.passes(now)
        assert spent.remaining == int(exact.tokens)
        passed += not spent.is_over
    assert passed > DECISIONS / 3


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@dataclass
class RedisTime:
    """Redis's clock, moved on at will by moving what is stored back."""

    redis: Redis
    skipped: Fraction = Fraction(0)

    async def go_on(self, seconds: float) -> Fraction:
        step = Fraction(round(seconds * MICROSECOND), MICROSECOND)
        whole, micros = await self.redis.register_script(ELAPSE)(args=[f"{float(step):.6f}"])
        self.skipped += step
        return int(whole) - REDIS_EPOCH_S + Fraction(int(micros), MICROSECOND) + self.skipped

    async def of(self, spent: Spent) -> Fraction:
        """When Redis decided: so long before the bucket is full, in whole microseconds."""
        (key,) = await self.redis.keys("vton:limits:*")
        full = float(await self.redis.get(key) or 0)
        return Fraction(round((full - spent.reset_s) * MICROSECOND), MICROSECOND) + self.skipped


@pytest.mark.slow
@pytest.mark.parametrize("arrival", ARRIVALS)
@pytest.mark.parametrize("per_min", RATES)
async def test_across_two_gateways_every_decision_is_the_exact_one(
    redis_url: str, redis: Redis, per_min: int, arrival: str
) -> None:
    time = RedisTime(redis)
    exact = Exact.full(Rate(per_min), await time.go_on(0))
    passed = 0
    async with (
        redis_buckets(redis_url, PATIENT_S) as one,
        redis_buckets(redis_url, PATIENT_S) as other,
    ):
        for number, gap_s in enumerate(gaps_s(per_min, arrival)):
            before = await time.go_on(gap_s)
            spent = await (one, other)[number % 2].spend(bucket(per_min))
            now = await time.of(spent)
            assert before <= now <= await time.go_on(0)
            assert spent.is_over != exact.passes(now)
            assert spent.remaining == int(exact.tokens)
            passed += not spent.is_over
    assert passed > DECISIONS / 3


@pytest.fixture(params=["memory", "redis"])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[Limiter]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield own_buckets(1000)
        else:
            url = request.getfixturevalue("redis_url")
            yield await stack.enter_async_context(redis_buckets(url, PATIENT_S))


async def test_of_sixty_at_once_exactly_the_burst_passes(limiter: Limiter) -> None:
    asked = bucket(1)  # of which a token comes back in a minute
    spent = await asyncio.gather(*(limiter.spend(asked) for _ in range(60)))
    assert sum(not one.is_over for one in spent) == 2
    assert sorted(one.remaining for one in spent if not one.is_over) == [0, 1]


@pytest.mark.prop(9)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    per_min=st.integers(1, 1000),
    asks=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 5)), min_size=1, max_size=60),
)
async def test_bursts_up_to_twice_the_rate_then_the_rate(
    time: Time, per_min: int, asks: list[tuple[float, int]]
) -> None:
    limiter, rate = own_buckets(10), Rate(per_min)
    began = time.now_s
    exact, passed = Exact.full(rate, began), 0
    for gap_s, tokens in asks:
        now = time.go_on(gap_s)
        before = exact.tokens
        spent = await limiter.spend(Bucket(Limit.READ, "user:ann", rate), tokens)
        is_close = abs(before + (now - exact.last) * Fraction(per_min, 60) - tokens) < 1e-6
        passes = exact.passes(now, tokens)
        if is_close and passes == spent.is_over:
            exact.tokens += tokens if passes else -tokens  # floats and fractions may differ here
        else:
            assert spent.is_over != passes
        passed += 0 if spent.is_over else tokens
        most = rate.burst + float(now - began) * per_min / 60
        assert passed <= most + 1e-3


@pytest.mark.prop(12)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asks=st.lists(
        st.tuples(st.sampled_from(("user:ann", "user:bob", "ip:192.0.2.7")), st.floats(0, 5)),
        max_size=80,
    ),
    per_min=st.integers(1, 20),
)
async def test_nobodys_decisions_depend_on_anybody_else(
    time: Time, asks: list[tuple[str, float]], per_min: int
) -> None:
    together = own_buckets(10)
    alone = {owner: own_buckets(10) for owner, _ in asks}
    for owner, gap_s in asks:
        time.go_on(gap_s)
        asked = bucket(per_min, owner)
        assert await together.spend(asked) == await alone[owner].spend(asked)


async def test_after_what_retry_says_it_passes_and_not_before(time: Time) -> None:
    limiter = own_buckets(10)
    while not (spent := await limiter.spend(bucket(10))).is_over:
        """Until the bucket is empty."""
    time.go_on(spent.retry_s - 0.001)
    assert (await limiter.spend(bucket(10))).is_over
    time.go_on(0.001)
    assert not (await limiter.spend(bucket(10))).is_over


class Shop:
    """Two gateways' limiters on one Redis that may die."""

    def __init__(self, stack: AsyncExitStack, url: str) -> None:
        self._stack = stack
        self._url = url
        self.clock = ManualClock()
        self.alone = 0
        self.states: list[State] = []

    async def gateway(self) -> SharedBuckets:
        shared: Buckets = await self._stack.enter_async_context(redis_buckets(self._url, PATIENT_S))
        rules = BreakerRules(failures=3, reset_s=2, timeout_s=PATIENT_S)
        breaker = Breaker(
            "limits", self.clock, StorageFailed, rules, lambda _, state: self.states.append(state)
        )
        return SharedBuckets(shared, own_buckets(1000), breaker, self._away)

    def _away(self) -> None:
        self.alone += 1


async def _passing(limiter: Limiter, owner: str) -> int:
    """How many of sixty at once pass."""
    spent = await asyncio.gather(*(limiter.spend(bucket(1, owner)) for _ in range(60)))
    return sum(not one.is_over for one in spent)


async def test_a_redis_that_dies_opens_no_door_and_is_used_again_when_it_is_back(
    redis_server: RedisServer,
) -> None:
    async with AsyncExitStack() as stack:
        shop = Shop(stack, f"{redis_server.url[:-1]}8")
        one, other = await shop.gateway(), await shop.gateway()
        assert await _passing(one, "user:ann") == 2
        assert await _passing(other, "user:ann") == 0
        redis_server.kill()
        # What the first let pass it still knows of; the second never saw any of it.
        assert await _passing(one, "user:ann") == 0
        assert await _passing(other, "user:ann") == 2
        assert await _passing(one, "user:bob") == 2
        assert shop.alone == 180
        assert shop.states == [State.OPEN, State.OPEN]
        redis_server.start()
        assert await _passing(one, "user:bob") == 0
        shop.clock.time_s += 2
        asked_alone = shop.alone
        await one.spend(bucket(1, "user:eve"))
        await other.spend(bucket(1, "user:eve"))
        assert shop.alone == asked_alone
        assert shop.states[-1] is State.CLOSED
        assert await _passing(other, "user:eve") == 0


async def test_a_redis_that_was_never_there_is_no_open_door() -> None:
    async with AsyncExitStack() as stack:
        gateway = await Shop(stack, "redis://127.0.0.1:1/0").gateway()
        assert await _passing(gateway, "user:ann") == 2
