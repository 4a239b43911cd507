from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.names import (
    Folder,
    Keeping,
    ObjectName,
    expiry_of,
    place_of,
    session_of,
)

expiries = st.integers(0, 2**32 - 1)
randomness = st.binary(min_size=16, max_size=16)
extensions = st.sampled_from(["", "jpg", "png", "webp"])
sessions = st.binary(min_size=16, max_size=16).map(bytes.hex)
places = st.just("") | sessions | st.text().map(place_of)
names = st.builds(ObjectName.new, st.builds(Keeping, expiries, places), randomness, extensions)


@given(names)
def test_a_name_reads_back(name: ObjectName) -> None:
    assert ObjectName.parse(str(name)) == name


@given(names, st.sampled_from(Folder))
def test_a_key_carries_its_expiry(name: ObjectName, folder: Folder) -> None:
    assert expiry_of(name.key(folder)) == name.expires_at


@given(names, st.sampled_from(Folder), sessions)
def test_a_key_tells_whose_session_it_is_of(name: ObjectName, folder: Folder, session: str) -> None:
    assert session_of(replace(name, place=session).key(folder)) == session
    assert session_of(replace(name, place=place_of(session)).key(folder)) is None
    assert session_of(replace(name, place="").key(folder)) is None


@given(st.text() | st.from_regex(r"[0-9a-f]{8}-.{22}\.(jpg|exe)"))
def test_what_is_read_as_a_name_is_exactly_a_name(text: str) -> None:
    name = ObjectName.parse(text)
    assert name is None or str(name) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "../69209f80-3q2_7wAAAAAAAAAAAAAAAA.jpg",
        "69209f80-3q2_7wAAAAAAAAAAAAAAAA.jpg/",
        "69209f80-3q2_7wAAAAAAAAAAAAAAAA.jpg\n",
        "69209F80-3q2_7wAAAAAAAAAAAAAAAA.jpg",
        "69209f80-3q2_7wAAAAAAAAAAAAAAAA.php",
        "0123456789abcdef/../69209f80-3q2_7wAAAAAAAAAAAAAAAA.jpg",
        "0123456789ABCDEF/69209f80-3q2_7wAAAAAAAAAAAAAAAA.jpg",
        "of-0123456789abcdef/69209f80-3q2_7wAAAAAAAAAAAAAAAA.jpg",
        "6920９f80-3q2_7wAAAAAAAAAAAAAAAA.jpg",  # noqa: RUF001
    ],
)
def test_what_is_not_ours_is_no_name(text: str) -> None:
    assert ObjectName.parse(text) is None


def test_a_name_expires_at_its_second() -> None:
    name = ObjectName.new(Keeping(1000.9), bytes(16))
    assert not name.has_expired(999.9)
    assert name.has_expired(1000.0)
