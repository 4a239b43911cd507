import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.json_text import parse_object
from gateway.errors.kinds import MalformedBody

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.text(), values, max_size=4))
def test_every_plain_object_is_read_as_it_is(value: dict[str, object]) -> None:
    assert parse_object(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a": 1e999}', "a number is out of range"),
        (b'{"a": 1, "a": 2}', "a key appears twice"),
        (b'{"a": "\\ud800"}', "a string holds half a character"),
        (b'{"\\udfff": 1}', "a string holds half a character"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, "nested too deeply"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_the_standard_leaves_open_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(MalformedBody) as caught:
        parse_object(text)
    assert caught.value.details == {"field": "body", "reason": reason}
