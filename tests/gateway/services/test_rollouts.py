import asyncio
from itertools import count, groupby
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.versions import Split, version_for
from tests.gateway.rolling import rolling
from tests.gateway.torchserve_stand_in import Fault
from tests.gateway.versions_stand_in import Served, VersionsStandIn

pytestmark = pytest.mark.anyio

_ENOUGH = 20  # of requests, for some to try a version that half of them is to try


def states(told: dict[str, Any]) -> list[str]:
    return [state for state, _ in groupby(one["state"] for one in told["history"])]


async def test_a_version_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        assert await place.dress() == "1.0.0"
        told = await place.until(await place.roll())
        assert states(told) == ["registering", "warming", "shifting", "draining", "done"]
        assert told["reason"] is None
        assert place.server.commands == [
            "register geometric-1.1.0.mar", "scale 1.1.0", "default 1.1.0", "unregister 1.0.0",
        ]  # fmt: skip
        assert await place.dress() == "1.1.0"


async def test_it_is_registered_without_workers_and_with_the_settings_of_its_yaml(
    tmp_path: Path,
) -> None:
    async with rolling(tmp_path) as place:
        await place.until(await place.roll())
        told = place.server.versions["1.1.0"].settings
        assert (told["initial_workers"], told["synchronous"]) == ("0", "false")
        assert (told["batch_size"], told["max_batch_delay"]) == ("4", "1")


async def test_a_share_tries_it_first_and_every_answer_names_its_version(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        rollout = await place.roll(share=0.5, canary_s=60)
        await place.until(rollout, "canary")
        assert {await place.dress() for _ in range(30)} == {"1.0.0", "1.1.0"}
        told = await place.versions()
        assert {name: one["share"] for name, one in told.items()} == {"1.0.0": 0.5, "1.1.0": 0.5}
        assert sum(one["requests"]["answered"] for one in told.values()) == 30
        place.gateway.clock.time_s += 61
        ended = await place.until(rollout)
        assert states(ended)[-4:] == ["canary", "shifting", "draining", "done"]
        assert {await place.dress() for _ in range(5)} == {"1.1.0"}


@pytest.mark.parametrize("fault", [Fault.CRASHES, Fault.DIES_BEFORE, Fault.CUT, Fault.ENDS_EARLY])
async def test_a_version_that_fails_is_rolled_back_and_nobody_notices(
    fault: Fault, tmp_path: Path
) -> None:
    async with rolling(tmp_path, VersionsStandIn(faulty={"1.1.0": fault})) as place:
        rollout = await place.roll(share=0.5, canary_s=60)
        await place.until(rollout, "canary")
        for _ in range(_ENOUGH):
            assert await place.dress() == "1.0.0"
        told = await place.until(rollout)
        assert (told["state"], told["reason"]["code"]) == ("rolled_back", "more_errors")
        assert "requests failed" in told["reason"]["message"]
        assert [*place.server.versions] == ["1.0.0"]
        assert await place.dress() == "1.0.0"


async def test_a_version_that_declines_what_the_old_one_takes_is_rolled_back(
    tmp_path: Path,
) -> None:
    server = VersionsStandIn(faulty={"1.1.0": Fault.REFUSES})
    async with rolling(tmp_path, server, requests=4) as place:
        rollout = await place.roll(share=0.9, canary_s=60)
        await place.until(rollout, "canary")
        for seed in range(_ENOUGH):
            await place.gateway.tryon(fields={"seed": seed})
        told = await place.until(rollout)
        assert (told["state"], told["reason"]["code"]) == ("rolled_back", "more_refusals")


async def test_a_registration_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    server = VersionsStandIn(wanting={"geometric-1.1.0.mar": "Model name is not defined."})
    async with rolling(tmp_path, server) as place:
        told = await place.until(await place.roll())
        assert told["state"] == "failed"
        assert told["reason"] == {
            "code": "refused", "message": "The model server refuses: Model name is not defined.",
        }  # fmt: skip
        assert await place.dress() == "1.0.0"


async def test_a_worker_that_cannot_start_leaves_the_old_version(tmp_path: Path) -> None:
    async with rolling(tmp_path, VersionsStandIn(cannot_start={"1.1.0"})) as place:
        told = await place.until(await place.roll())
        assert (told["state"], told["reason"]["code"]) == ("failed", "worker_not_ready")
        assert "the model server's log says why" in told["reason"]["message"]
        assert place.server.commands[-1] == "unregister 1.1.0"
        assert await place.dress() == "1.0.0"


async def test_the_old_version_stays_until_its_last_answer(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        place.server.faults.append(Fault.SILENT)
        asked = asyncio.create_task(place.dress())
        await place.server.was_asked.wait()
        rollout = await place.roll()
        await place.until(rollout, "draining")
        assert (await place.versions())["1.0.0"]["in_flight"] == 1
        assert await place.dress() == "1.1.0"
        assert "1.0.0" in place.server.versions
        place.server.stalled.set()
        assert await asked == "1.0.0"
        assert (await place.until(rollout))["state"] == "done"
        assert [*place.server.versions] == ["1.1.0"]


async def test_what_waits_in_the_servers_own_queue_is_waited_for(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        place.server.versions["1.0.0"].waiting = 1
        rollout = await place.roll()
        await place.until(rollout, "draining")
        await place.until(rollout, "draining")
        place.server.versions["1.0.0"].waiting = 0
        assert (await place.until(rollout))["state"] == "done"


async def test_other_gateways_requests_are_waited_for_as_long_as_one_may_take(
    tmp_path: Path,
) -> None:
    async with rolling(tmp_path, gateways=2) as place:
        rollout = await place.roll()
        await place.until(rollout, "draining")
        place.gateway.clock.time_s += 59
        assert (await place.until(rollout, "draining"))["state"] == "draining"
        place.gateway.clock.time_s += 1.01
        assert (await place.until(rollout))["state"] == "done"


async def test_a_version_that_nobody_leaves_stays_registered(tmp_path: Path) -> None:
    async with rolling(tmp_path, drain_s=5) as place:
        place.server.faults.append(Fault.SILENT)
        asked = asyncio.create_task(place.dress())
        await place.server.was_asked.wait()
        rollout = await place.roll()
        await place.until(rollout, "draining")
        place.gateway.clock.time_s += 6
        told = await place.until(rollout)
        assert (told["state"], told["reason"]["code"]) == ("done", "not_drained")
        assert (await place.ask("DELETE", "/versions/1.0.0")).status_code == 409
        place.server.stalled.set()
        assert await asked == "1.0.0"
        assert (await place.ask("DELETE", "/versions/1.0.0")).status_code == 204
        assert [*place.server.versions] == ["1.1.0"]


@pytest.mark.parametrize("state", ["canary", "draining"])
async def test_it_goes_back_when_asked(state: str, tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        place.server.versions["1.0.0"].waiting = 1
        rollout = await place.roll(share=0.5 if state == "canary" else 0.0)
        await place.until(rollout, state)
        answer = await place.ask("POST", f"/rollouts/{rollout}/rollback")
        assert answer.status_code == 202
        told = await place.until(rollout)
        assert (told["state"], told["reason"]["code"]) == ("rolled_back", "asked")
        assert place.server.version == "1.0.0"
        assert [*place.server.versions] == ["1.0.0"]
        assert await place.dress() == "1.0.0"
        assert (await place.ask("POST", f"/rollouts/{rollout}/rollback")).status_code == 409


@pytest.mark.parametrize(
    ("state", "serves"), [("warming", "1.0.0"), ("canary", "1.0.0"), ("draining", "1.1.0")]
)
async def test_a_gateway_that_restarts_serves_on_and_the_same_wish_goes_on(
    state: str, serves: str, tmp_path: Path
) -> None:
    server = VersionsStandIn(loading={"1.1.0"} if state == "warming" else set())
    async with rolling(tmp_path, server) as place:
        server.versions["1.0.0"].waiting = 1
        share = 0.5 if state == "canary" else 0.0
        await place.until(await place.roll(share=share), state)
        while "1.1.0" not in server.versions:  # noqa: ASYNC110  the stand-in tells nobody
            await asyncio.sleep(0)
    server.versions["1.0.0"].waiting = 0
    server.loading.clear()
    async with rolling(tmp_path, server) as place:
        assert {await place.dress() for _ in range(10)} == {serves}
        assert {*await place.versions()} == {"1.0.0", "1.1.0"}
        assert (await place.until(await place.roll()))["state"] == "done"
        assert [*server.versions] == ["1.1.0"]
        assert await place.dress() == "1.1.0"


async def test_one_rollout_of_a_model_at_a_time(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        rollout = await place.roll(share=0.5)
        again = await place.ask("POST", "/versions", version="1.2.0")
        assert (again.status_code, again.json()["error_code"]) == (409, "VAL_2010")
        assert again.json()["details"] == {"rollout_id": rollout, "version": "1.1.0"}
        assert (await place.ask("GET", "/versions")).json()["rollout_id"] == rollout
        held = await place.ask("DELETE", "/versions/1.1.0")
        assert held.status_code == 409


async def test_what_serves_already_is_said(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        answer = await place.ask("POST", "/versions", version="1.0.0")
        assert (answer.status_code, answer.json()["message"]) == (409, "1.0.0 serves already.")
        assert (await place.ask("DELETE", "/versions/1.0.0")).status_code == 409
        assert (await place.ask("DELETE", "/versions/7.0.0")).status_code == 404


async def test_the_way_back_is_a_rollout_too(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        for version in ("1.1.0", "1.0.0", "1.2.0"):
            assert (await place.until(await place.roll(version)))["state"] == "done"
            assert await place.dress() == version


async def test_a_model_server_that_goes_away_leaves_the_reason(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        rollout = await place.roll(share=0.5)
        await place.until(rollout, "canary")
        place.server.is_broken = True
        assert (await place.ask("GET", "/versions")).json()["error_code"] == "ML_4001"
        await place.ask("POST", f"/rollouts/{rollout}/rollback")
        told = await place.until(rollout)
        assert told["state"] == "rolled_back"
        assert "may be registered still" in told["history"][-1]["message"]


async def test_rollouts_and_versions_are_counted(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        await place.dress()
        await place.until(await place.roll())
        for _ in range(10):  # its task has a last word to say
            await asyncio.sleep(0)
        page = (await place.gateway.client.get("/metrics")).text
        assert 'vton_rollouts_total{model="geometric",outcome="done"} 1.0' in page
        told = 'model="geometric",outcome="answered",version="1.0.0"'
        assert f"vton_version_requests_total{{{told}}} 1.0" in page


async def test_a_canary_that_vanishes_costs_nobody_an_answer(tmp_path: Path) -> None:
    async with rolling(tmp_path) as place:
        await place.until(await place.roll(share=0.9), "canary")
        del place.server.versions["1.1.0"]
        assert {await place.dress() for _ in range(4)} == {"1.0.0"}


async def test_a_version_left_over_is_shown_and_can_be_taken_away(tmp_path: Path) -> None:
    server = VersionsStandIn()
    server.versions["0.9.0"] = Served("geometric-0.9.0.mar")
    async with rolling(tmp_path, server) as place:
        told = (await place.versions())["0.9.0"]
        assert (told["is_default"], told["share"], told["archive"]) == (
            False, 0.0, "geometric-0.9.0.mar",
        )  # fmt: skip
        assert (await place.ask("DELETE", "/versions/0.9.0")).status_code == 204


async def test_what_the_old_version_made_is_not_remembered_as_the_new_ones(tmp_path: Path) -> None:
    server = VersionsStandIn(faulty={"1.1.0": Fault.CRASHES})
    async with rolling(tmp_path, server, requests=1000) as place:
        await place.until(await place.roll(share=0.5), "canary")
        split = Split("1.1.0", 0.5)
        names = (f"{number:032x}" for number in count(1))
        headers = {"X-Request-Id": next(n for n in names if version_for(split, None, n))}
        for _ in range(2):
            told = (await place.gateway.tryon(headers=headers)).json()
            assert (told["model_version"], told["cached"]) == ("1.0.0", False)
        assert server.answered["1.1.0"] == 2
