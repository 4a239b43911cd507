"""What a number is and what a truth: text in a form, and never in JSON."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.schemas.requests import TryOnOptions
from gateway.schemas.values import Said

NUMBERS = ("steps", "seed", "num_samples", "guidance_scale", "strength", "deadline_s")


def read(**told: Any) -> dict[str, Any]:  # noqa: ANN401
    return TryOnOptions.model_validate(told).given()


@pytest.mark.prop(27)
@given(value=st.booleans() | st.text() | st.integers(0, 9).map(str))
def test_no_text_and_no_truth_is_a_number_in_json(value: object) -> None:
    for name in NUMBERS:
        with pytest.raises(ValidationError, match="must be a number"):
            read(**{name: value})


@pytest.mark.prop(27)
@given(value=st.integers() | st.floats() | st.text() | st.sampled_from(["true", "1", "on"]))
def test_nothing_else_is_a_truth_in_json(value: object) -> None:
    for name in ("auto_crop", "keep_unmasked"):
        with pytest.raises(ValidationError, match="must be true or false"):
            read(**{name: value})


@given(steps=st.integers(1, 150), strength=st.floats(0, 1), crops=st.booleans())
def test_a_form_says_them_in_text(steps: int, strength: float, crops: bool) -> None:  # noqa: FBT001
    said = {"steps": steps, "strength": strength, "auto_crop": str(crops).lower()}
    found = read(**{name: Said(value) for name, value in said.items()})
    assert (found["steps"], found["strength"]) == (steps, strength)
    assert found["auto_crop"] is crops
    assert read(steps=float(steps))["steps"] == steps


def test_what_is_no_number_is_refused_by_name() -> None:
    with pytest.raises(ValidationError) as refused:
        read(steps=True, auto_crop=0.0)
    assert [fault["loc"] for fault in refused.value.errors()] == [("steps",), ("auto_crop",)]
