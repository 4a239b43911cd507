"""Properties 27 to 31 of who is asked to be drawn: numbers and choices, and nothing else."""

import json
import string

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.schemas.requests import BodiesBody
from tests.gateway.running import Gateway
from tests.properties.test_input import html

pytestmark = pytest.mark.anyio
for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

HEIGHTS_CM, WEIGHTS_KG = (140, 220), (40, 200)
CHOICES = {"gender": {"woman", "man"}, "skin_tone": {"light", "dark"}}
no_number = st.text(max_size=8) | st.booleans() | st.lists(st.integers(), max_size=2)


def outside(low: float, high: float) -> st.SearchStrategy[float]:
    below = st.floats(max_value=low, exclude_max=True, allow_infinity=False)
    above = st.floats(min_value=high, exclude_min=True, allow_infinity=False)
    return below | above | st.sampled_from([low - 1, high + 1])


WRONG = {
    "count": st.integers(max_value=0) | st.integers(min_value=11) | st.floats(1.1, 1.9) | no_number,
    "height_cm": outside(*HEIGHTS_CM) | no_number | st.none(),
    "weight_kg": outside(*WEIGHTS_KG) | no_number | st.none(),
    "steps": st.integers(max_value=9) | st.integers(51, 10**9) | no_number,
    "seed": st.integers(max_value=-1) | st.integers(min_value=2**32) | no_number,
    "gender": st.text(max_size=9).filter(lambda text: text not in CHOICES["gender"]),
    "skin_tone": st.integers() | st.sampled_from(["light, nude", "LIGHT", "", "light\n"]),
    "output_format": st.sampled_from(["gif", "JPEG", "", 5]),
}


def refused(answer_json: dict[str, object]) -> set[str]:
    details = answer_json["details"]
    assert isinstance(details, dict)
    return {fault["field"] for fault in details["fields"]}


@pytest.mark.prop(27)
@for_all
@given(wrong=st.fixed_dictionaries({}, optional=WRONG).filter(bool))
async def test_every_bad_parameter_is_named(gateway: Gateway, wrong: dict[str, object]) -> None:
    answer = await gateway.draw(**wrong)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
    assert refused(answer.json()) == set(wrong)
    assert gateway.torchserve.asked == []


@pytest.mark.prop(28)
@for_all
@given(text=html, place=st.sampled_from(["gender", "skin_tone", "output_format", "unknown"]))
async def test_html_in_any_string_comes_out_harmless(
    gateway: Gateway, text: str, place: str
) -> None:
    answer = await gateway.draw(**({text: 1} if place == "unknown" else {place: text}))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/json"
    assert b"<" not in answer.content
    assert b">" not in answer.content


@pytest.mark.prop(29)
@for_all
@given(height_cm=outside(*HEIGHTS_CM), weight_kg=outside(*WEIGHTS_KG))
async def test_nobody_is_taller_or_heavier_than_people_are(
    gateway: Gateway, height_cm: float, weight_kg: float
) -> None:
    tall = await gateway.draw(height_cm=height_cm)
    heavy = await gateway.draw(weight_kg=weight_kg)
    assert (tall.status_code, refused(tall.json())) == (422, {"height_cm"})
    assert (heavy.status_code, refused(heavy.json())) == (422, {"weight_kg"})


@pytest.mark.prop(29)
@for_all
@given(height_cm=st.floats(*HEIGHTS_CM), weight_kg=st.floats(*WEIGHTS_KG))
async def test_everybody_within_the_limits_is_drawn_as_asked(
    gateway: Gateway, height_cm: float, weight_kg: float
) -> None:
    answer = await gateway.draw(height_cm=height_cm, weight_kg=weight_kg)
    assert answer.status_code == 200
    if not answer.json()["cached"]:
        asked = json.loads(gateway.torchserve.asked[-1]["params"])
        assert (asked["height_cm"], asked["weight_kg"]) == (height_cm, weight_kg)


@pytest.mark.prop(30)
@for_all
@given(text=st.text(max_size=40), field=st.sampled_from([*CHOICES]))
async def test_no_text_reaches_the_worker(gateway: Gateway, text: str, field: str) -> None:
    assume(text not in CHOICES[field])
    for smuggled in (text, f"light, {text}", f"woman {text}"):
        answer = await gateway.draw(**{field: smuggled})
        assert (answer.status_code, refused(answer.json())) == (422, {field})
    assert gateway.torchserve.asked == []


@pytest.mark.prop(31)
@for_all
@given(name=st.text(string.ascii_letters + "_-[]. ", min_size=1, max_size=20))
async def test_an_unknown_field_is_refused_by_name(gateway: Gateway, name: str) -> None:
    assume(name not in BodiesBody.model_fields)
    answer = await gateway.draw(**{name: 1})
    assert (answer.status_code, refused(answer.json())) == (422, {name})
