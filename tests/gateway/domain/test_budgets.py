"""What a GPU second is, and what a day."""

import math

from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from gateway.domain.budgets import Budget, day_of, gpu_s_of, until_tomorrow_s
from gateway.domain.durations import DAY_S
from gateway.domain.limits import Bucket, Limit, Rate, Spent, headers_of
from gateway.errors.limits import BudgetSpent

MIDNIGHT = 20_717 * DAY_S


@given(now=st.floats(0, 4e9))
def test_a_day_ends_when_the_next_begins(now: float) -> None:
    left_s = until_tomorrow_s(now)
    assert 0 < left_s <= DAY_S
    assert day_of(now + left_s + 0.001) == day_of(now) + 1


def test_days_are_those_of_utc() -> None:
    assert day_of(MIDNIGHT - 0.001) + 1 == day_of(MIDNIGHT) == day_of(MIDNIGHT + DAY_S - 1)
    assert until_tomorrow_s(MIDNIGHT) == DAY_S


@given(stages=st.dictionaries(st.text(), st.floats(0, 1e6) | st.integers(0, 10**6), min_size=1))
def test_an_inference_costs_its_stages(stages: dict[str, JsonValue]) -> None:
    assert gpu_s_of({"stage_ms": stages}, 7.0) == math.fsum(map(float, stages.values())) / 1000  # type: ignore[arg-type]


@given(stages=st.none() | st.just({}) | st.text() | st.dictionaries(st.text(), st.text()))
def test_what_a_worker_does_not_tell_the_gateway_has_timed(stages: object) -> None:
    assert gpu_s_of({"stage_ms": stages}, 7.0) == 7.0  # type: ignore[dict-item]
    assert gpu_s_of({}, 7.0) == 7.0
    assert gpu_s_of({"stage_ms": {"a": math.inf}}, 7.0) == 7.0
    assert gpu_s_of({"stage_ms": {"a": -1.0}}, 7.0) == 7.0


@given(gpu_s=st.floats(0.001, 1e9), spent_s=st.floats(0, 2e9), reset_s=st.floats(0.001, DAY_S))
def test_a_budget_is_spent_when_nothing_is_left(
    gpu_s: float, spent_s: float, reset_s: float
) -> None:
    budget = Budget(gpu_s, spent_s, reset_s)
    assert budget.is_spent == (budget.left_s == 0)
    assert 0 <= budget.left_s <= gpu_s
    refused = BudgetSpent.of(budget)
    assert 1 <= int(refused.headers["Retry-After"]) <= DAY_S
    assert int(refused.headers["Retry-After"]) >= reset_s


def test_headers_tell_of_a_budget_beside_the_buckets_and_before_them_when_it_is_spent() -> None:
    spent = [
        Spent(
            Bucket(Limit.INFERENCE, "x", Rate(10)),
            is_over=False,
            remaining=19,
            reset_s=6,
            retry_s=0,
        )
    ]
    left = headers_of(spent, Budget(600, 47.5, 3600.5))
    assert left["X-RateLimit-Remaining"] == "19"
    assert left["RateLimit-Policy"] == '"inference";q=20;w=120, "gpu_seconds";q=600;w=86400'
    assert left["RateLimit"] == '"inference";r=19;t=6, "gpu_seconds";r=552;t=3601'
    none = headers_of(spent, Budget(600, 600.1, 3600.5))
    assert none["X-RateLimit-Limit"] == "600"
    assert none["X-RateLimit-Remaining"] == "0"
    assert none["X-RateLimit-Reset"] == "3601"
