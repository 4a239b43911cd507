import asyncio

import pytest

from gateway.services.health import Component, Health, HealthService
from tests.gateway.running import ManualClock

pytestmark = pytest.mark.anyio


async def well() -> Component:
    return Component(Health.HEALTHY)


async def poorly() -> Component:
    return Component(Health.DEGRADED, {"reason": "slow"})


async def broken() -> Component:
    raise OSError("/var/lib/secret")


async def hanging() -> Component:
    await asyncio.Event().wait()
    raise AssertionError


async def test_the_worst_part_is_the_health_of_the_whole() -> None:
    service = HealthService({"a": well, "b": poorly}, ManualClock(), timeout_s=1)
    await service.check()
    assert service.report().health is Health.DEGRADED


@pytest.mark.parametrize(("check", "reason"), [(broken, "failed"), (hanging, "timed_out")])
async def test_a_check_that_fails_or_hangs_is_a_finding(check: object, reason: str) -> None:
    service = HealthService({"a": well, "b": check}, ManualClock(), timeout_s=0.01)  # type: ignore[dict-item]
    await service.check()
    report = service.report()
    assert report.components["a"].health is Health.HEALTHY
    assert report.components["b"] == Component(Health.UNHEALTHY, {"reason": reason})


async def test_before_the_first_round_nothing_is_known_to_be_well() -> None:
    report = HealthService({"a": well}, ManualClock(), timeout_s=1).report()
    assert (report.health, report.checked_s_ago) == (Health.UNHEALTHY, None)
