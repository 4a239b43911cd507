import pytest

from gateway.domain.options import Category, Engine, choose, plan
from gateway.errors import InvalidInput

ENGINE = Engine(
    name="geometric",
    model="geometric",
    options=frozenset({"width_px", "height_px", "seed", "mask"}),
    categories=(Category.UPPER_BODY, Category.DRESSES),
    licence="Apache-2.0",
    commercial_use=True,
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
    made = plan(ENGINE, BASE | {"seed": 7, "width_px": 512}, has_mask=True)
    assert made.params == BASE | {"seed": 7, "width_px": 512}
    assert made.warnings == ()


def test_every_option_the_engine_cannot_honour_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        plan(
            ENGINE,
            BASE | {"category": "lower_body", "steps": 30, "quality": "fast"},
            has_mask=False,
        )
    assert faults(caught.value) == ["quality", "steps", "category"]


def test_a_mask_needs_an_engine_that_takes_one() -> None:
    plain = Engine("plain", "plain", frozenset(), tuple(Category), "MIT", commercial_use=True)
    with pytest.raises(InvalidInput) as caught:
        plan(plain, BASE, has_mask=True)
    assert faults(caught.value) == ["mask"]


def test_asking_for_what_happens_anyway_is_fine() -> None:
    assert (
        plan(ENGINE, BASE | {"num_samples": 1, "auto_crop": False}, has_mask=False).params == BASE
    )


def test_a_hint_that_is_not_used_becomes_a_warning() -> None:
    made = plan(ENGINE, BASE | {"garment_description": "a red shirt"}, has_mask=False)
    assert made.params == BASE
    assert [warning["code"] for warning in made.warnings] == ["garment_description_unused"]
