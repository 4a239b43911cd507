"""A circuit opens after five failures in a row, and one trial at a time closes it again."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.breaker import CIRCUIT_OPEN, Breaker, BreakerRules, Breakers, State
from gateway.errors.kinds import Busy, GatewayError, InvalidInput, ModelNotLoaded, TimedOut
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio

RESET_S = 30.0
CALLERS = 50


class Broken(Exception):
    """What the service does when it is ill."""


@dataclass
class Service:
    """An outside service behind a breaker; `errors` is what it raises."""

    rules: BreakerRules = field(default_factory=lambda: BreakerRules(reset_s=RESET_S))
    error: Exception | None = None
    calls: int = 0
    clock: ManualClock = field(default_factory=ManualClock)
    told: list[State] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()
        self.breaker = Breaker(
            "outside",
            self.clock,
            ModelNotLoaded,
            self.rules,
            lambda _, state: self.told.append(state),
        )

    async def call(self) -> str:
        """Call it through the breaker; it answers once its gate is open."""
        async with self.breaker.calling():
            self.calls += 1
            await self.gate.wait()
            if self.error is not None:
                raise self.error
            return "answer"

    async def fails(self, times: int) -> None:
        """Fail so many times, one after the other."""
        self.error = Broken()
        for _ in range(times):
            with pytest.raises(Broken):
                await self.call()
        self.error = None

    async def crowd(self) -> list[str | BaseException]:
        """Have everybody call at once."""
        asked = [asyncio.ensure_future(self.call()) for _ in range(CALLERS)]
        await asyncio.sleep(0)
        self.gate.set()
        return await asyncio.gather(*asked, return_exceptions=True)


@pytest.mark.prop(44)
async def test_five_failures_open_it_and_nobody_calls_any_more() -> None:
    service = Service()
    await service.fails(5)
    answers = await service.crowd()
    assert service.calls == 5
    assert all(isinstance(answer, ModelNotLoaded) for answer in answers)
    assert service.told == [State.OPEN]


@pytest.mark.prop(44)
async def test_a_refusal_says_when_to_come_back() -> None:
    service = Service()
    await service.fails(5)
    service.clock.time_s += 12.5
    with pytest.raises(ModelNotLoaded) as refused:
        await service.call()
    assert refused.value.headers["Retry-After"] == "18"
    assert refused.value.details == {"service": "outside", "reason": CIRCUIT_OPEN}


@pytest.mark.prop(44)
async def test_a_crowd_that_fails_together_opens_it_once() -> None:
    service = Service(error=Broken())
    service.gate.clear()
    assert all(isinstance(answer, Broken) for answer in await service.crowd())
    await service.crowd()
    assert (service.calls, service.told) == (CALLERS, [State.OPEN])


@pytest.mark.prop(44)
@pytest.mark.parametrize("is_well", [True, False])
async def test_after_its_reset_time_exactly_one_tries(is_well: bool) -> None:  # noqa: FBT001
    service = Service()
    await service.fails(5)
    service.clock.time_s += RESET_S
    service.error = None if is_well else Broken()
    service.gate.clear()
    answers = await service.crowd()
    assert service.calls == 6
    assert sum(isinstance(answer, ModelNotLoaded) for answer in answers) == CALLERS - 1
    assert service.breaker.state is (State.CLOSED if is_well else State.OPEN)
    await service.crowd()
    assert service.calls == (6 + CALLERS if is_well else 6)


@pytest.mark.prop(44)
async def test_cancelled_calls_open_nothing() -> None:
    service = Service()
    await service.fails(4)
    service.gate.clear()
    leaving = [asyncio.ensure_future(service.call()) for _ in range(CALLERS)]
    await asyncio.sleep(0)
    for one in leaving:
        one.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    assert not service.told
    service.gate.set()
    await service.fails(1)
    assert service.told == [State.OPEN], "the four failures before still count"


@pytest.mark.prop(44)
async def test_a_cancelled_trial_closes_nothing_and_the_next_one_tries() -> None:
    service = Service()
    await service.fails(5)
    service.clock.time_s += RESET_S
    service.gate.clear()
    trial = asyncio.ensure_future(service.call())
    await asyncio.sleep(0)
    trial.cancel()
    with suppress(asyncio.CancelledError):
        await trial
    assert service.told[-1] is State.HALF_OPEN
    answers = await service.crowd()
    assert (answers.count("answer"), service.told[-1]) == (1, State.CLOSED)


async def test_who_began_before_it_opened_says_nothing_of_it_afterwards() -> None:
    service = Service()
    service.gate.clear()
    late = asyncio.ensure_future(service.call())
    await asyncio.sleep(0)
    service.gate.set()
    service.gate, gate = asyncio.Event(), service.gate
    service.gate.set()
    gate.clear()
    await service.fails(5)
    gate.set()
    assert await late == "answer"
    assert service.breaker.state is State.OPEN


async def test_what_the_caller_did_wrong_is_no_failure_of_the_service() -> None:
    service = Service(error=InvalidInput())
    for _ in range(10):
        with pytest.raises(InvalidInput):
            await service.call()
    assert service.breaker.state is State.CLOSED


async def test_too_many_at_once_are_told_to_wait_without_a_call() -> None:
    service = Service(BreakerRules(max_concurrent=3))
    service.gate.clear()
    answers = await service.crowd()
    assert (service.calls, answers.count("answer")) == (3, 3)
    assert sum(isinstance(answer, Busy) for answer in answers) == CALLERS - 3
    assert await service.call() == "answer", "and there is room again"


@pytest.mark.prop(43)
async def test_what_takes_too_long_is_a_failure_and_a_clear_error() -> None:
    service = Service(BreakerRules(failures=1, timeout_s=0.001))
    service.gate.clear()
    with pytest.raises(TimedOut):
        await service.call()
    assert service.breaker.state is State.OPEN


def test_all_breakers_of_a_deployment_are_known() -> None:
    told: list[tuple[str, State]] = []
    breakers = Breakers(ManualClock(), lambda name, state: told.append((name, state)))
    one = breakers.breaker("gemini", TimedOut, BreakerRules())
    assert breakers.breaker("gemini", TimedOut, BreakerRules()) is one
    assert breakers.states() == {"gemini": "closed"}
    assert told == [("gemini", State.CLOSED)]


class Model:
    """What a circuit is, said in ten lines, for calls one after the other."""

    def __init__(self, failures: int) -> None:
        self.failures, self.row, self.opened_s = failures, 0, None

    failures: int
    row: int
    opened_s: float | None

    def lets_through(self, now_s: float) -> bool:
        """Whether the service is called."""
        return self.opened_s is None or now_s >= self.opened_s + RESET_S

    def ended(self, outcome: str, now_s: float) -> None:
        """Take note of a call that was let through."""
        if outcome == "well":
            self.row, self.opened_s = 0, None
        elif outcome == "broken":
            self.row += 1
            if self.row >= self.failures or self.opened_s is not None:
                self.opened_s = now_s


STEPS = st.tuples(
    st.sampled_from(["well", "broken", "broken", "cancelled"]), st.integers(0, 20).map(float)
)


@pytest.mark.prop(44)
@given(st.integers(1, 6), st.lists(STEPS, max_size=60))
def test_it_does_what_the_model_does(failures: int, steps: list[tuple[str, float]]) -> None:
    asyncio.run(_compare(failures, steps))


async def _compare(failures: int, steps: list[tuple[str, float]]) -> None:
    service = Service(BreakerRules(failures, RESET_S))
    model = Model(failures)
    raised = {"well": None, "broken": Broken(), "cancelled": asyncio.CancelledError()}
    for outcome, pause_s in steps:
        service.clock.time_s += pause_s
        now_s, calls = service.clock.monotonic(), service.calls
        expected = model.lets_through(now_s)
        assert service.breaker.admits is expected
        service.error = raised[outcome]  # type: ignore[assignment]
        with suppress(Broken, GatewayError, asyncio.CancelledError):
            await service.call()
        assert (service.calls > calls) is expected
        if expected:
            model.ended(outcome, now_s)
