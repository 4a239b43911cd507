"""Another engine stands in where the deployment allows it, and the answer says so."""

from pathlib import Path
from typing import Any

import pytest

from gateway.errors.kinds import Misconfigured
from tests.gateway.running import Gateway, running_gateway
from tests.gateway.torchserve_stand_in import Fault

pytestmark = pytest.mark.anyio

ORDER = {"fallback": "diffusion,geometric"}
DIFFUSION = {"engine": "diffusion", "category": "upper_body"}
QUICK = """
tryon:
  engine: quick
  categories: [upper_body]
  options: [category, output_format]
  licence: MIT
  commercial_use: true
patience: {deadline_s: 10, first_frame_s: 5, stall_s: 0.05}
"""


def counted(gateway: Gateway, reason: str) -> float | None:
    """How many requests the embedded engine served in the other's place."""
    labels = {"asked": "diffusion", "engine": "geometric", "reason": reason}
    return gateway.resources.metrics.registry.get_sample_value("vton_fallbacks_total", labels)


async def test_an_engine_that_is_not_deployed_is_stood_in_for(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, tryon=ORDER) as gateway:
        gateway.torchserve.not_deployed.add("diffusion")
        await gateway.resources.models.refresh()
        answer = await gateway.tryon(fields=DIFFUSION)
        told = answer.json()
        assert (answer.status_code, told["engine"], told["licence"]) == (
            200, "geometric", "Apache-2.0",
        )  # fmt: skip
        assert told["fallback_from"] == {"engine": "diffusion", "reason": "not_deployed"}
        assert told["metadata"]["fallback_from"] == told["fallback_from"]
        assert counted(gateway, "not_deployed") == 1


@pytest.mark.prop(43)
async def test_what_another_engine_made_is_not_remembered_as_the_asked_one_s(
    tmp_path: Path,
) -> None:
    async with running_gateway(tmp_path, tryon=ORDER) as gateway:
        gateway.torchserve.not_deployed.add("diffusion")
        await gateway.resources.models.refresh()
        await gateway.tryon(fields=DIFFUSION)
        again = (await gateway.tryon(fields=DIFFUSION)).json()
        assert again["fallback_from"]["engine"] == "diffusion"
        assert len(gateway.torchserve.asked) == 1, "the engine that served has its own memory"
        own = (await gateway.tryon(fields={"engine": "geometric", "category": "upper_body"})).json()
        assert (own["cached"], own["fallback_from"]) == (True, None)
        gateway.torchserve.not_deployed.clear()
        await gateway.resources.models.refresh()
        asked = (await gateway.tryon(fields=DIFFUSION)).json()
        assert (asked["engine"], asked["cached"], asked["fallback_from"]) == (
            "diffusion", False, None,
        )  # fmt: skip


@pytest.mark.prop(43)
async def test_an_engine_that_takes_too_long_is_stood_in_for(tmp_path: Path) -> None:
    async with _impatient(tmp_path, fallback="geometric") as gateway:
        gateway.torchserve.faults.extend([Fault.STALLS])
        told = (await gateway.tryon(fields={"engine": "quick"})).json()
        assert told["fallback_from"] == {"engine": "quick", "reason": "timed_out"}


async def test_what_stood_in_before_is_copied_for_the_next_session(tmp_path: Path) -> None:
    path, headers = "/api/v1/tryon/sessions", {"X-User-Token": "m" * 32, "Prefer": "wait=20"}
    async with _impatient(tmp_path, fallback="geometric") as gateway:
        files = {
            "user_image": ("p.jpg", gateway.person, "image/jpeg"),
            "garment_image": ("g.jpg", gateway.garment, "image/jpeg"),
        }
        told = []
        for _ in range(2):
            gateway.torchserve.faults.append(Fault.STALLS)
            asked = {"headers": headers, "files": files, "data": {"engine": "quick"}}
            told.append((await gateway.client.post(path, **asked)).json())
        first, second = told
        assert [one["state"] for one in told] == ["completed", "completed"]
        await gateway.client.delete(f"{path}/{first['session_id']}", headers=headers)
        answer = await gateway.client.get(second["items"][0]["result_urls"][0])
        assert answer.status_code == 200


@pytest.mark.prop(43)
async def test_without_a_fallback_it_is_a_clear_error(tmp_path: Path) -> None:
    async with _impatient(tmp_path) as gateway:
        gateway.torchserve.faults.extend([Fault.STALLS])
        answer = await gateway.tryon(fields={"engine": "quick"})
        assert (answer.status_code, answer.json()["error_code"]) == (504, "EXT_5004")


async def test_options_that_no_other_engine_honours_are_not_dropped(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, tryon=ORDER) as gateway:
        gateway.torchserve.not_deployed.add("diffusion")
        await gateway.resources.models.refresh()
        answer = await gateway.tryon(fields=DIFFUSION | {"steps": 30})
        assert (answer.status_code, answer.json()["error_code"]) == (503, "ML_4001")
        assert not gateway.torchserve.asked


@pytest.mark.parametrize("fault", [Fault.REFUSES, Fault.CRASHES])
async def test_a_picture_that_cannot_be_used_is_never_shown_to_another_engine(
    tmp_path: Path, fault: Fault
) -> None:
    async with running_gateway(tmp_path, tryon=ORDER) as gateway:
        gateway.torchserve.faults.append(fault)
        answer = await gateway.tryon(fields=DIFFUSION)
        assert answer.json()["error_code"] in {"ML_4005", "ML_4002"}
        assert len(gateway.torchserve.asked) == 1


async def test_input_that_is_wrong_is_refused_as_ever(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, tryon=ORDER) as gateway:
        answer = await gateway.tryon(fields=DIFFUSION | {"steps": 1000})
        assert answer.json()["error_code"] == "VAL_2001"


async def test_the_order_goes_on_behind_the_asked_engine(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, tryon=ORDER) as gateway:
        gateway.torchserve.not_deployed.add("geometric")
        await gateway.resources.models.refresh()
        answer = await gateway.tryon(fields={"engine": "geometric"})
        assert answer.json()["error_code"] == "ML_4001", "nothing is behind the last"


async def test_nobody_stands_in_who_may_not_be_used_here(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"tryon": {"fallback": "diffusion"}, "commercial_only": True}
    async with running_gateway(tmp_path, **settings) as gateway:
        gateway.torchserve.not_deployed.add("geometric")
        await gateway.resources.models.refresh()
        assert (await gateway.tryon()).status_code == 503


async def test_an_order_of_engines_that_do_not_exist_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="FALLBACK: no such engine: nobody"):
        async with running_gateway(tmp_path, tryon={"fallback": "nobody"}):
            pass


def _impatient(folder: Path, fallback: str = "") -> Any:  # noqa: ANN401 - a context manager
    """A gateway with an engine, `quick`, that is given no time at all."""
    folder.joinpath("quick.yaml").write_text(QUICK)
    return running_gateway(folder, tryon={"fallback": fallback})
