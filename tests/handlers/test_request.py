from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.errors import BadParameters
from handlers.request import FORMATS, Params, read_params
from handlers.settings import Offer

OFFER = Offer(
    engine="geometric",
    categories=("upper_body", "lower_body", "dresses"),
    options=("category", "output_format", "width_px", "height_px"),
    licence="Apache-2.0",
    commercial_use=True,
)
VALID: dict[str, Any] = {"category": "upper_body", "output_format": "jpeg"}

junk = st.one_of(
    st.none(), st.booleans(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=2)
)


def faults(raw: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(BadParameters) as caught:
        read_params(raw, OFFER)
    assert caught.value.code == "VAL_2001"
    found: dict[str, str] = caught.value.details["fields"]
    return found


@given(
    category=st.sampled_from(OFFER.categories),
    output_format=st.sampled_from(FORMATS),
    width_px=st.integers(1, 16384),
    height_px=st.integers(1, 16384),
)
def test_what_the_engine_offers_is_read(**raw: Any) -> None:  # noqa: ANN401
    assert read_params(raw, OFFER) == Params(**raw)


@pytest.mark.prop(31)
@given(name=st.text(max_size=20), value=junk)
def test_an_unknown_field_is_refused_by_name(name: str, value: object) -> None:
    if name not in Params.__slots__:
        assert faults({**VALID, name: value})[name] == "unknown field"


@pytest.mark.prop(30)
@given(category=st.one_of(junk, st.text(max_size=12)))
def test_a_category_outside_the_enum_is_refused(category: object) -> None:
    if category not in OFFER.categories:
        assert "upper_body" in faults({**VALID, "category": category})["category"]


@pytest.mark.prop(27)
@given(
    name=st.sampled_from(["width_px", "height_px"]), value=st.one_of(junk, st.integers(max_value=0))
)
def test_a_size_of_the_wrong_type_or_range_is_named(name: str, value: object) -> None:
    assert list(faults({**VALID, name: value})) == [name]


def test_an_option_the_engine_cannot_honour_is_named() -> None:
    assert faults({**VALID, "seed": 7}) == {
        "seed": "the geometric engine cannot honour this option"
    }


def test_every_fault_is_named_at_once() -> None:
    assert set(faults({"category": "hat", "steps": 4, "width_px": "wide"})) == {
        "category",
        "output_format",
        "steps",
        "width_px",
    }
