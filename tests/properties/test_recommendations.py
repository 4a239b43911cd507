"""Properties 19, 20, 21 and 43 of recommendations: whatever the services outside do."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.redaction import shows_internals
from gateway.stand_ins.ebay import CLIENT_SECRET
from gateway.stand_ins.faults import Fault
from gateway.stand_ins.gemini import KEY
from tests.gateway.recommending import Outsides, recommending

pytestmark = pytest.mark.anyio
for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
CLEAR = {"EXT_5001", "EXT_5002", "EXT_5004", "RATE_3002"}
PATIENT = {"failures": 10_000}
SMALL = 256
ANSWERED = set(Fault) - {Fault.SILENT}
faults = st.sampled_from(sorted(ANSWERED))
_LEAKS = re.compile(r"Exception|\.java|/srv/|10\.2\.3\.4|169\.254|127\.0\.0\.1|<html")
seeds = st.integers(1, 10**6)


@pytest.fixture
async def outsides(tmp_path: Path) -> AsyncIterator[Outsides]:
    """A gateway whose circuits stay closed, however often the services fail."""
    async with recommending(
        tmp_path, gemini=PATIENT, ebay=PATIENT, collage_side_px=SMALL
    ) as opened:
        yield opened


async def asked(outsides: Outsides, seed: int) -> dict[str, object]:
    """Ask, and see that the answer is one of the two kinds, and shows nothing internal."""
    answer = await outsides.ask(seed=seed, wardrobe=seed % 3)
    told: dict[str, object] = answer.json()
    assert _LEAKS.search(answer.text) is None
    assert KEY not in answer.text
    assert CLIENT_SECRET not in answer.text
    if answer.status_code == 200:
        assert told["keywords"]
        return told
    assert told["error_code"] in CLEAR
    assert not shows_internals(f"{told['message']} {json.dumps(told['details'])}")
    return told


@pytest.mark.slow
@pytest.mark.prop(19)
@pytest.mark.prop(21)
@for_all
@given(fault=faults, seed=seeds)
async def test_any_collage_has_keywords_whatever_becomes_of_gemini(
    outsides: Outsides, fault: Fault, seed: int
) -> None:
    outsides.gemini.faults.always = fault
    told = await asked(outsides, seed)
    assert len(told["keywords"]) >= 5  # type: ignore[arg-type]
    assert told["products"]


@pytest.mark.slow
@pytest.mark.prop(20)
@pytest.mark.prop(21)
@for_all
@given(fault=faults, token_fault=faults, seed=seeds)
async def test_any_keywords_have_a_list_of_products_whatever_becomes_of_ebay(
    outsides: Outsides, fault: Fault, token_fault: Fault, seed: int
) -> None:
    outsides.gateway.clock.time_s += 30_000  # nothing remembered helps
    outsides.ebay.faults.always, outsides.ebay.token_faults.always = fault, token_fault
    told = await asked(outsides, seed)
    assert isinstance(told["products"], list)
    assert told["products"] or told["degraded_services"] == ["ebay"]


@pytest.mark.slow
@pytest.mark.prop(21)
@for_all
@given(
    queues=st.fixed_dictionaries(
        {name: st.lists(faults, max_size=6) for name in ("gemini", "ebay", "tokens")}
    ),
    seed=seeds,
    later_s=st.sampled_from([0, 1800, 4000, 30_000]),
)
async def test_whatever_fails_in_whatever_order_it_is_said_and_nothing_leaks(
    outsides: Outsides, queues: dict[str, list[Fault]], seed: int, later_s: int
) -> None:
    outsides.gateway.clock.time_s += later_s
    for name, stand_in in (
        ("gemini", outsides.gemini.faults),
        ("ebay", outsides.ebay.faults),
        ("tokens", outsides.ebay.token_faults),
    ):
        stand_in.queue.clear()
        stand_in.queue.extend(queues[name])
    told = await asked(outsides, seed % 5 + 1)
    if "error_code" not in told:
        assert told["products"] or told["degraded_services"]


@pytest.mark.prop(43)
@pytest.mark.parametrize(
    ("silent", "expected"), [("gemini", (200, ["gemini"])), ("ebay", (200, ["ebay"]))]
)
async def test_a_service_that_never_answers_is_done_without(
    tmp_path: Path, silent: str, expected: tuple[int, list[str]]
) -> None:
    async with recommending(tmp_path, **{silent: {"timeout_s": 0.1}}) as opened:
        getattr(opened, silent).faults.always = Fault.SILENT
        answer = await opened.ask()
        assert (answer.status_code, answer.json()["degraded_services"]) == expected


@pytest.mark.slow
@pytest.mark.prop(43)
async def test_when_neither_answers_it_is_a_graceful_error_or_the_answer_before(
    tmp_path: Path,
) -> None:
    hasty = {"timeout_s": 1.0, "failures": 100}
    async with recommending(tmp_path, gemini=hasty, ebay=hasty) as opened:
        for stand_in in (opened.gemini.faults, opened.ebay.faults):
            stand_in.always = Fault.SILENT
        first = await opened.ask()
        assert (first.status_code, first.json()["error_code"]) == (504, "EXT_5004")
        for stand_in in (opened.gemini.faults, opened.ebay.faults):
            stand_in.always = Fault.NONE
        good = (await opened.ask()).json()
        for stand_in in (opened.gemini.faults, opened.ebay.faults):
            stand_in.always = Fault.SILENT
        opened.gateway.clock.time_s += 7200
        again = (await opened.ask()).json()
        assert again["products"] == good["products"]
        assert again["degraded_services"] == ["gemini", "ebay"]
