from dataclasses import replace

import pytest

from gateway.domain.options import Engine, Given, choose, plan
from gateway.domain.terms import Part
from gateway.errors.kinds import InvalidInput

ENGINE = Engine(
    name="geometric",
    model="geometric",
    options=frozenset({"width_px", "height_px", "seed", "mask"}),
    terms=(Part("engine", "geometric", "Apache-2.0", commercial_use=True),),
    choices={"category": ("upper_body", "dresses")},
)
ENGINES = {"geometric": ENGINE}
BASE = {"category": "upper_body", "output_format": "jpeg"}


def faults(error: InvalidInput) -> list[object]:
    fields = error.details["fields"]
    assert isinstance(fields, list)
    return [field["field"] for field in fields if isinstance(field, dict)]


def test_the_engine_asked_for_comes_before_the_default() -> None:
    assert choose(ENGINES, "geometric", "other") is ENGINE
    assert choose(ENGINES, None, "geometric") is ENGINE


def test_an_unknown_engine_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidInput) as caught:
        choose(ENGINES, "magic", "geometric")
    assert caught.value.details["fields"] == [
        {"field": "engine", "message": "there is no such engine", "available": ["geometric"]}
    ]


def test_what_the_engine_honours_is_sent_to_it() -> None:
    made = plan(ENGINE, BASE | {"seed": 7, "width_px": 512}, {"mask"})
    assert made.params == BASE | {"seed": 7, "width_px": 512}
    assert made.warnings == ()


def test_every_option_the_engine_cannot_honour_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        plan(
            ENGINE,
            BASE | {"category": "lower_body", "steps": 30, "preset": "fast"},
        )
    assert faults(caught.value) == ["preset", "steps", "category"]


def test_a_mask_needs_an_engine_that_takes_one() -> None:
    plain = replace(ENGINE, name="plain", options=frozenset())
    with pytest.raises(InvalidInput) as caught:
        plan(plain, BASE, {"mask"})
    assert faults(caught.value) == ["mask"]


@pytest.mark.parametrize(("steps", "is_fine"), [(19, False), (20, True), (50, True), (51, False)])
def test_a_number_must_be_in_the_range_of_the_engine(steps: int, *, is_fine: bool) -> None:
    options = ENGINE.options | {"steps"}
    engine = replace(ENGINE, name="diffusion", options=options, ranges={"steps": (20, 50)})
    if is_fine:
        assert plan(engine, BASE | {"steps": steps}).params["steps"] == steps
        return
    with pytest.raises(InvalidInput) as caught:
        plan(engine, BASE | {"steps": steps})
    assert caught.value.details["fields"] == [
        {
            "field": "steps",
            "message": "must be from 20 to 50 for the engine 'diffusion'",
            "engine": "diffusion",
            "minimum": 20,
            "maximum": 50,
        }
    ]


def test_asking_for_what_happens_anyway_is_fine() -> None:
    neutral = {"num_samples": 1, "auto_crop": False}
    assert plan(ENGINE, {**BASE, **neutral}).params == BASE


def test_an_engine_with_the_option_hears_the_neutral_value_too() -> None:
    engine = replace(ENGINE, options=frozenset({"auto_crop"}), defaults={"auto_crop": True})
    assert plan(engine, BASE | {"auto_crop": False}).params == BASE | {"auto_crop": False}


def test_a_hint_that_is_not_used_becomes_a_warning() -> None:
    made = plan(ENGINE, BASE | {"garment_description": "a red shirt"})
    assert made.params == BASE
    assert [warning["code"] for warning in made.warnings] == ["garment_description_unused"]


def test_a_name_outside_an_option_s_choices_is_named_with_those_there_are() -> None:
    choices = {"pose": ("front", "relaxed")}
    engine = replace(ENGINE, options=frozenset({"pose"}), choices=choices)
    assert plan(engine, {"pose": "front"}).params == {"pose": "front"}
    with pytest.raises(InvalidInput) as caught:
        plan(engine, {"pose": "front, and more"})
    assert caught.value.details["fields"] == [
        {
            "field": "pose",
            "message": "the engine 'geometric' cannot honour this",
            "engine": "geometric",
            "supported": ["front", "relaxed"],
        }
    ]


@pytest.mark.parametrize(
    ("given", "is_preview"),
    [
        ({"preset": "fast"}, True),
        ({"steps": 8}, True),
        ({"steps": 9}, False),
        ({"steps": 4, "num_samples": 2}, True),
        ({"preset": "fast", "num_samples": 2}, False),
        ({"preset": "fast", "steps": 100}, False),
        ({"preset": "quality"}, False),
        ({"preset": "quality", "steps": 1}, True),
        ({}, False),
    ],
)
def test_what_is_no_more_work_than_the_quickest_preset_is_a_preview(
    given: Given,
    is_preview: bool,  # noqa: FBT001
) -> None:
    presets = {"fast": {"steps": 8}, "quality": {"steps": 30}}
    assert replace(ENGINE, presets=presets).is_preview(given) is is_preview
    assert replace(ENGINE, presets=presets, defaults={"steps": 30}).is_preview(given) is is_preview
    assert not ENGINE.is_preview(given), "it has no presets"
