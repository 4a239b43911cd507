"""What a caller tells beside the options: read strictly, every fault named."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.engine.tickets import Kind
from handlers.errors import BadParameters
from handlers.schedule import Schedule

GOOD = {"user": "u1", "kind": "batch", "within_s": 2.5, "least_steps": 4, "preview_every": 3}


def test_everything_may_be_told_and_everything_may_be_left_out() -> None:
    assert Schedule.read({}) == Schedule()
    assert Schedule.read(GOOD) == Schedule("u1", Kind.BATCH, 2.5, 4, 3)
    assert Schedule.read({"within_s": 3}).within_s == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user", ""),
        ("user", 7),
        ("user", "x" * 129),
        ("kind", "urgent"),
        ("kind", ["batch"]),
        ("within_s", 0),
        ("within_s", True),
        ("within_s", math.inf),
        ("within_s", math.nan),
        ("within_s", "1"),
        ("least_steps", 0),
        ("least_steps", 1.0),
        ("preview_every", True),
        ("preview_every", None),
        ("colour", "red"),
    ],
)
def test_what_is_wrong_is_named(field: str, value: object) -> None:
    with pytest.raises(BadParameters) as caught:
        Schedule.read(GOOD | {field: value})
    assert list(caught.value.details["fields"]) == [f"schedule.{field}"]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.prop(27)
@given(st.dictionaries(st.sampled_from([*GOOD, "other"]), json))
def test_rubbish_is_refused_or_read_and_never_breaks(raw: dict[str, object]) -> None:
    named = {f"schedule.{name}" for name in raw}
    try:
        Schedule.read(raw)
    except BadParameters as refused:
        named -= set(refused.details["fields"])
        assert len(named) < len(raw)
