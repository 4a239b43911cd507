import io
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gateway.domain.collage import Layout, Rect, SheetRules, arrange, labels_of
from gateway.domain.collage_drawing import collage
from gateway.domain.images import picture_of_png
from tests.gateway import pictures

sizes = st.lists(st.tuples(st.integers(1, 4096), st.integers(1, 4096)), min_size=1, max_size=25)
# No picture is narrower than that on its way in: a photo has at most 4:1.
photos = st.integers(64, 2048).flatmap(
    lambda short: st.tuples(st.just(short), st.integers(short, 4 * short))
)
sheets = st.builds(SheetRules, st.integers(256, 2048), st.integers(0, 16), st.integers(0, 40))


def rectangles(layout: Layout) -> list[Rect]:
    return [one for tile in layout.tiles for one in (tile.picture, tile.label)]


def overlap(one: Rect, other: Rect) -> bool:
    left, upper, right, lower = one.corners
    left2, upper2, right2, lower2 = other.corners
    return left < right2 and left2 < right and upper < lower2 and upper2 < lower


@pytest.mark.prop(18)
@given(sizes, sheets)
def test_every_picture_lies_on_the_sheet_and_none_over_another(
    given_sizes: list[tuple[int, int]], rules: SheetRules
) -> None:
    layout = arrange(given_sizes, rules)
    assert len(layout.tiles) == len(given_sizes)
    for one in rectangles(layout):
        left, upper, right, lower = one.corners
        assert 0 <= left <= right <= layout.width_px
        assert 0 <= upper <= lower <= layout.height_px
    assert all(min(tile.picture.width_px, tile.picture.height_px) >= 1 for tile in layout.tiles)
    assert not any(overlap(*two) for two in combinations(rectangles(layout), 2))


@pytest.mark.prop(18)
@given(st.lists(photos | photos.map(lambda size: size[::-1]), min_size=1, max_size=25), sheets)
def test_no_picture_is_distorted_by_more_than_a_pixel(
    given_sizes: list[tuple[int, int]], rules: SheetRules
) -> None:
    for (width, height), tile in zip(given_sizes, arrange(given_sizes, rules).tiles, strict=True):
        shown = tile.picture
        scales = shown.width_px / width, shown.height_px / height
        assert abs(scales[0] - scales[1]) <= 0.5 / width + 0.5 / height + 1e-9


@given(sizes, sheets)
def test_the_same_sizes_lie_the_same(given_sizes: list[tuple[int, int]], rules: SheetRules) -> None:
    assert arrange(given_sizes, rules) == arrange(list(given_sizes), rules)


def test_one_picture_takes_the_sheet_and_four_a_quarter_each() -> None:
    rules = SheetRules(side_px=1000, gap_px=0, label_px=0)
    assert arrange([(500, 500)], rules).tiles[0].picture == Rect(0, 0, 1000, 1000)
    quarters = [tile.picture for tile in arrange([(50, 50)] * 4, rules).tiles]
    assert {one.width_px for one in quarters} == {500}


@pytest.mark.parametrize("wrong", [[], [(0, 5)], [(5, 5), (5, 0)]])
def test_nothing_to_show_is_refused(wrong: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="collage"):
        arrange(wrong, SheetRules())


def test_labels_are_numbered_where_there_are_several() -> None:
    groups = [("Person", 1), ("Wardrobe", 2), ("Dressed", 0)]
    assert list(labels_of(groups)) == ["Person", "Wardrobe 1", "Wardrobe 2"]


@pytest.mark.prop(18)
@given(st.lists(photos, min_size=1, max_size=12))
def test_the_drawing_shows_the_colour_of_every_picture(
    given_sizes: list[tuple[int, int]],
) -> None:
    colours = [(37 * at % 200 + 20, 91 * at % 200 + 20, 53 * at % 200 + 20) for at in range(12)]
    made = [
        picture_of_png(pictures.encoded(Image.new("RGB", (w // 8 + 1, h // 8 + 1), colour), "PNG"))
        for (w, h), colour in zip(given_sizes, colours, strict=False)
    ]
    rules = SheetRules(side_px=512)
    drawn = Image.open(io.BytesIO(collage(made, ["Wardrobe"] * len(made), rules)))
    assert (drawn.format, drawn.size) == ("JPEG", (512, 512))
    assert not drawn.getexif()
    layout = arrange([(one.width_px, one.height_px) for one in made], rules)
    for tile, colour in zip(layout.tiles, colours, strict=False):
        at = tile.picture
        middle = (at.x_px + at.width_px // 2, at.y_px + at.height_px // 2)
        seen = drawn.getpixel(middle)
        assert isinstance(seen, tuple)
        if min(at.width_px, at.height_px) >= 24:  # smaller, JPEG mixes it with its neighbours
            assert max(abs(a - b) for a, b in zip(seen, colour, strict=True)) <= 12
