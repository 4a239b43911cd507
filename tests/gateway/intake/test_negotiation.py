import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.negotiation import prefers_events, prefers_image


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("image/*", True),
        ("image/png;q=0.1", True),
        ("image/avif,image/webp,*/*;q=0.8", True),
        ("application/json", False),
        ("application/json;q=0.2, image/*", True),
        ("image/*;q=0.2, application/*", False),
        ("text/html,application/xhtml+xml,image/webp,*/*;q=0.8", False),
        ("image/*;q=zero", False),
    ],
)
def test_the_preferred_form(accept: str, expected: bool) -> None:  # noqa: FBT001
    assert prefers_image(accept) is expected


@given(st.text())
def test_no_header_breaks_it(accept: str) -> None:
    assert prefers_image(accept) in {True, False}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/event-stream", True),
        ("text/event-stream, */*;q=0.1", True),
        ("application/json, text/event-stream", False),
        ("image/*, text/event-stream;q=0.5", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_a_stream_is_given_to_who_asks_for_one(accept: str, *, expected: bool) -> None:
    assert prefers_events(accept) is expected
