import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from handlers import images
from handlers.errors import BadDimensions, UndecodableImage
from handlers.images import Size
from handlers.settings import Encoding, GeometricSettings, read
from tests.handlers.torchserve_rows import config

SETTINGS = read(GeometricSettings, config()["handler"], "handler")
LIMITS = SETTINGS.limits
side = st.integers(64, 2048)
wish = st.one_of(st.none(), st.integers(1, 4096))


@pytest.mark.prop(15)
@given(source=st.builds(Size, side, side), wished=st.tuples(wish, wish))
def test_a_result_is_never_smaller_than_the_smallest_nor_larger_than_the_largest(
    source: Size, wished: tuple[int | None, int | None]
) -> None:
    try:
        size = images.result_size(source, wished, LIMITS)
    except BadDimensions as error:
        tall, wide = source.height_px / source.width_px, source.width_px / source.height_px
        assert tall > 2048 / 512 or wide > 2048 / 768
        assert error.details["image"] == "person_image"  # noqa: PT017
        return
    assert size.width_px >= LIMITS.min_width_px
    assert size.height_px >= LIMITS.min_height_px
    assert max(size.width_px, size.height_px) <= LIMITS.max_side_px
    assert size.width_px / source.width_px == pytest.approx(
        size.height_px / source.height_px, abs=1 / min(source.width_px, source.height_px)
    )


@pytest.mark.parametrize(
    ("source", "wished", "expected"),
    [
        (Size(768, 1024), (None, None), Size(768, 1024)),
        (Size(1536, 2048), (None, None), Size(768, 1024)),
        (Size(1536, 2048), (1152, 2000), Size(1152, 1536)),
        (Size(384, 512), (None, None), Size(576, 768)),
        (Size(768, 1024), (512, 768), Size(576, 768)),
        (Size(1024, 768), (None, None), Size(1024, 768)),
    ],
)
def test_the_size_of_a_result(
    source: Size, wished: tuple[int | None, int | None], expected: Size
) -> None:
    assert images.result_size(source, wished, LIMITS) == expected


@given(st.integers(0, 2**32))
def test_png_keeps_every_pixel(seed: int) -> None:
    shape = (int(seed % 37) + 1, int(seed % 53) + 1, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    packed = images.encode(pixels, "png", SETTINGS.encode)
    assert np.array_equal(images.decode(packed, "person_image", 10**6), pixels)


@pytest.mark.parametrize(
    ("output_format", "magic"), [("jpeg", b"\xff\xd8"), ("png", b"\x89PNG"), ("webp", b"RIFF")]
)
def test_each_format_is_what_it_says(output_format: str, magic: bytes) -> None:
    pixels = np.full((64, 48, 3), (200, 30, 90), np.uint8)
    packed = images.encode(pixels, output_format, Encoding(92, 90, 3))
    assert packed.startswith(magic)
    again = images.decode(packed, "person_image", 10**6).astype(int)
    assert np.abs(again - pixels).max() <= 8


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_labels_and_colours_come_out_of_a_png_as_they_went_in(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    shown = Image.open(io.BytesIO(images.encode_png(values, 3)))
    assert shown.format == "PNG"
    assert np.array_equal(np.asarray(shown), values)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_picture_are_named(data: bytes) -> None:
    with pytest.raises(UndecodableImage) as caught:
        images.decode(data, "garment_image", 10**6)
    assert caught.value.details == {"image": "garment_image"}


def test_too_many_pixels_are_refused() -> None:
    packed = images.encode(np.zeros((20, 20, 3), np.uint8), "png", SETTINGS.encode)
    with pytest.raises(BadDimensions, match="too many pixels"):
        images.decode(packed, "person_image", 399)


def test_a_mask_is_true_where_it_is_white() -> None:
    grey = np.zeros((4, 6, 3), np.uint8)
    grey[:2] = 255
    mask = images.decode_mask(images.encode(grey, "png", SETTINGS.encode), 10**6)
    assert mask[:2].all()
    assert not mask[2:].any()
    assert images.resize_mask(mask, Size(12, 8))[:4].all()
