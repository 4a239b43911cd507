from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.domain.options import Engine
from gateway.domain.terms import Part
from gateway.schemas.narrowing import narrowed
from gateway.schemas.requests import BodiesBody

OFFERED = Engine(
    name="sdxl",
    model="sdxl",
    options=frozenset(BodiesBody.model_fields),
    terms=(Part("engine", "sdxl", "MIT", commercial_use=True),),
    choices={"pose": ("front", "relaxed")},
    ranges={"height_cm": (150, 160), "steps": (10, 50)},
    defaults={"pose": "front", "steps": 25},
)
USUAL = {"height_cm": 155, "weight_kg": 60}


def wrong(**body: Any) -> set[Any]:  # noqa: ANN401
    with pytest.raises(ValidationError) as caught:
        narrowed(BodiesBody, OFFERED).model_validate(USUAL | body)
    return {fault["loc"][0] for fault in caught.value.errors()}


def test_what_the_engine_does_not_offer_is_refused_all_at_once() -> None:
    assert wrong(height_cm=149, steps=51, pose="sitting", hat="top") == {
        "height_cm",
        "steps",
        "pose",
        "hat",
    }


def test_defaults_are_the_engine_s_and_absence_stays_allowed() -> None:
    read = narrowed(BodiesBody, OFFERED).model_validate(USUAL | {"pose": None})
    assert (read.steps, read.pose, read.gender) == (25, None, None)
    assert read.given().keys() == {*USUAL, "count", "steps", "output_format"}


def test_what_is_required_stays_required() -> None:
    with pytest.raises(ValidationError) as caught:
        narrowed(BodiesBody, OFFERED).model_validate({})
    assert {fault["loc"] for fault in caught.value.errors()} == {("height_cm",), ("weight_kg",)}


def test_two_engines_do_not_share_a_schema() -> None:
    other = replace(OFFERED, ranges={"height_cm": (140, 220)}, defaults={})
    assert narrowed(BodiesBody, other).model_validate(USUAL | {"height_cm": 200}).steps is None
    assert wrong(height_cm=200) == {"height_cm"}


def test_the_schema_shows_what_is_offered() -> None:
    schema = narrowed(BodiesBody, OFFERED).model_json_schema()
    fields = schema["properties"]
    assert (schema["title"], schema["description"]) == ("BodiesBody", BodiesBody.__doc__)
    assert fields["height_cm"] == {
        "type": "number",
        "minimum": 150,
        "maximum": 160,
        "title": "Height Cm",
        "description": "how tall the person is",
    }
    assert fields["pose"]["anyOf"][0]["enum"] == ["front", "relaxed"]
    assert fields["steps"]["default"] == 25


def test_a_size_that_the_engine_cannot_draw_is_refused_before_it_is_asked() -> None:
    in_steps = replace(OFFERED, ranges={"width_px": (512, 1536)}, multiples={"width_px": 32})
    body = narrowed(BodiesBody, in_steps)
    assert body.model_validate(USUAL | {"width_px": 544}).width_px == 544
    with pytest.raises(ValidationError) as caught:
        body.model_validate(USUAL | {"width_px": 545})
    assert [fault["loc"] for fault in caught.value.errors()] == [("width_px",)]
