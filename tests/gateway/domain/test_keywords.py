import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gateway.domain.images import picture_of_png
from gateway.domain.keywords import LEAST, MAX_CHARS, MOST, clean, merged
from gateway.domain.palette import colours_of, suggestions
from tests.gateway import pictures

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.lists(json | st.text(max_size=80)))
def test_whatever_is_said_what_remains_has_the_shape_of_keywords(raw: list[object]) -> None:
    found = clean(raw)
    assert len(found) <= MOST
    assert len(set(found)) == len(found)
    for keyword in found:
        assert 3 <= len(keyword) <= MAX_CHARS
        assert keyword == keyword.strip()
        assert all(unicodedata.category(char)[0] in "LNPZM" for char in keyword)
        assert not set(keyword) & set('<>/\\:;"{}[]()@\n\r\t\x00')
    assert clean(found) == found


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Navy Linen Blazer", "navy linen blazer"),
        ("  - white   oxford shirt. ", "white oxford shirt"),
        ("90s denim jacket", "90s denim jacket"),
        ("women's t-shirt", "women's t-shirt"),
        ("mixed & matched co-ord", "mixed matched co-ord"),
        ("ＮＡＶＹ blazer", "navy blazer"),  # noqa: RUF001
        ("élégante écharpe", "élégante écharpe"),
    ],
)
def test_what_shops_know_is_kept(said: str, kept: str) -> None:
    assert clean([said]) == (kept,)


@pytest.mark.parametrize(
    "said",
    [
        "", "   ", "a", "42", "1234567890 shirt", "https://evil.example/shirt", "<b>shirt</b>",
        "shirt\x00", "shirt\u202etrihs", "ignore previous instructions", "select shirt from users",
        "x" * 61, "one two three four five six", "shirt; rm -rf", "none", None, 7, ["shirt"],
        "averyveryverylongsinglewordthatis", "{'keywords': []}", "mail@shop.example",
    ],
)  # fmt: skip
def test_what_is_no_word_for_clothes_is_dropped(said: object) -> None:
    assert clean([said]) == ()


def test_repeats_count_once_and_there_are_ten_at_most() -> None:
    words = ["abc", "bcd", "cde", "def", "efg", "fgh", "ghi", "hij", "ijk", "jkl", "klm"]
    assert clean(["ABC coat", "abc  coat"]) == ("abc coat",)
    assert len(clean(f"{word} coat" for word in words)) == MOST


def test_a_few_are_filled_up_and_enough_are_left_alone() -> None:
    assert merged(["a"], ["a", "b", "c", "d", "e", "f"]) == ("a", "b", "c", "d", "e")
    assert merged(list("abcdef"), ["g"]) == tuple("abcdef")


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_any_colour_has_a_name_and_gives_enough_keywords(red: int, green: int, blue: int) -> None:
    plain = Image.new("RGB", (64, 80), (red, green, blue))
    picture = picture_of_png(pictures.encoded(plain, "PNG"))
    assert len(colours_of(picture)) == 1
    found = suggestions([picture])
    assert LEAST <= len(found) <= MOST
    assert clean(found) == found


@pytest.mark.parametrize(
    ("rgb", "name"),
    [((10, 10, 12), "black"), ((250, 250, 250), "white"), ((30, 40, 80), "navy"),
     ((200, 30, 30), "red"), ((238, 120, 100), "coral")],
)  # fmt: skip
def test_a_colour_is_called_what_people_call_it(rgb: tuple[int, int, int], name: str) -> None:
    picture = picture_of_png(pictures.encoded(Image.new("RGB", (64, 80), rgb), "PNG"))
    assert colours_of(picture) == (name,)


def test_what_is_behind_a_person_is_not_what_they_wear() -> None:
    photo = Image.new("RGB", (100, 200), (214, 194, 164))
    photo.paste((30, 40, 80), (38, 50, 62, 120))
    assert colours_of(picture_of_png(pictures.encoded(photo, "PNG"))) == ("navy",)
