import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.negotiation import prefers_image


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
