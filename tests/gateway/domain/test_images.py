import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from gateway.domain.images import ImageLimits, Picture, normalise, normalise_mask, picture_of_png
from gateway.domain.uploads import Upload
from gateway.errors.kinds import (
    BadDimensions,
    ContentMismatch,
    GatewayError,
    InvalidInput,
    TypeNotAllowed,
)
from tests.gateway import pictures

FILES = [pictures.jpeg(), pictures.png(), pictures.webp()]
LIMITS = ImageLimits(
    min_side_px=64, max_pixels=50_000_000, max_aspect_ratio=4.0, working_side_px=2048
)


def made(content: bytes, limits: ImageLimits = LIMITS) -> tuple[Picture, Image.Image]:
    picture = normalise(Upload("file", content, None), limits)
    image = Image.open(io.BytesIO(picture.png), formats=["PNG"])
    image.load()
    return picture, image


@pytest.mark.parametrize("file", FILES)
def test_every_type_becomes_a_plain_rgb_png(file: bytes) -> None:
    picture, image = made(file)
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (320, 400))
    assert (picture.width_px, picture.height_px) == (320, 400)
    assert image.info == {}


def test_a_lossless_picture_keeps_its_pixels() -> None:
    _, image = made(pictures.png())
    assert image.tobytes() == pictures.drawn().tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_and_then_gone(orientation: int) -> None:
    upright = (320, 400) if orientation <= 4 else (400, 320)
    picture, image = made(pictures.turned(orientation))
    assert image.size == upright
    assert len(image.getexif()) == 0
    assert b"SECRET-ARTIST" not in picture.png


def test_orientation_6_turns_the_picture_clockwise() -> None:
    red_left = Image.new("RGB", (200, 100), "blue")
    red_left.paste("red", (0, 0, 100, 100))
    exif = Image.Exif()
    exif[0x0112] = 6
    _, image = made(pictures.encoded(red_left, "PNG", exif=exif.tobytes()))
    assert image.getpixel((50, 10)) == (255, 0, 0)
    assert image.getpixel((50, 190)) == (0, 0, 255)


def test_a_large_photo_is_shrunk_to_the_working_size() -> None:
    limits = ImageLimits(64, 50_000_000, 4.0, working_side_px=200)
    picture, _ = made(pictures.jpeg((800, 1000)), limits)
    assert (picture.width_px, picture.height_px) == (160, 200)


def test_cmyk_becomes_rgb_of_the_same_colour() -> None:
    colours = Image.new("CMYK", (100, 100), (0, 255, 255, 0))
    _, image = made(pictures.encoded(colours, "JPEG"))
    red, green, blue = image.getpixel((50, 50))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 15


def test_a_jpeg_of_any_make_becomes_rgb() -> None:
    colours = pictures.encoded(Image.new("CMYK", (100, 100), (0, 255, 255, 0)), "JPEG")
    mark = colours.index(b"Adobe") + len(b"Adobe") + 6  # the transform: 0 is CMYK, 2 is YCCK
    ycck = colours[:mark] + b"\2" + colours[mark + 1 :]
    for file in (ycck, pictures.jpeg((100, 100), progressive=True), pictures.jpeg(subsampling=2)):
        _, image = made(file)
        assert image.mode == "RGB"


def test_16_bit_grey_is_scaled_and_not_clipped() -> None:
    grey = Image.new("I;16", (100, 100), 40_000)
    _, image = made(pictures.encoded(grey, "PNG"))
    assert image.getpixel((50, 50)) == (156, 156, 156)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_falls_on_white(mode: str) -> None:
    clear = Image.new("RGBA", (100, 100), (200, 30, 30, 0))
    clear.paste((200, 30, 30, 255), (50, 0, 100, 100))
    file = clear.quantize(16) if mode == "PA" else clear.convert(mode)
    _, image = made(pictures.encoded(file, "PNG"))
    assert image.getpixel((10, 50)) == (255, 255, 255)
    assert image.getpixel((90, 50)) != (255, 255, 255)


def test_one_transparent_colour_falls_on_white() -> None:
    plain = Image.new("RGB", (100, 100), (1, 2, 3))
    _, image = made(pictures.encoded(plain, "PNG", transparency=(1, 2, 3)))
    assert image.getpixel((50, 50)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_grey_and_palette_become_rgb(mode: str) -> None:
    _, image = made(pictures.encoded(pictures.drawn().convert(mode), "PNG"))
    assert image.mode == "RGB"


def test_an_embedded_profile_is_applied() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    _, image = made(pictures.png(icc_profile=lab))
    assert "icc_profile" not in image.info


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * 500, b"x" * (2 << 20)])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    _, image = made(pictures.jpeg(icc_profile=profile))
    assert image.size == (320, 400)


def test_garbage_exif_counts_as_none() -> None:
    _, image = made(pictures.jpeg(exif=b"Exif\0\0" + bytes(range(256)) * 8))
    assert image.size == (320, 400)


def test_a_phone_jpeg_with_a_second_picture_is_its_first() -> None:
    file = pictures.encoded(
        pictures.drawn(), "MPO", save_all=True, append_images=[pictures.drawn((64, 64))]
    )
    picture, _ = made(file)
    assert (picture.width_px, picture.height_px) == (320, 400)


@pytest.mark.parametrize(
    "file",
    [
        pictures.jpeg()[: len(pictures.jpeg()) // 2],
        pictures.jpeg()[:20],
        pictures.png()[: len(pictures.png()) // 2],
        pictures.webp()[: len(pictures.webp()) // 2],
        b"\xff\xd8\xff\xe0" + bytes(range(256)) * 20,
        pictures.PNG_HEAD,
        pictures.PNG_HEAD + bytes(100),
        b"RIFF\x10\0\0\0WEBP",
    ],
    ids=["half jpeg", "jpeg head", "half png", "half webp", "noise", "magic", "zeros", "riff"],
)
def test_a_broken_file_is_refused(file: bytes) -> None:
    with pytest.raises(ContentMismatch):
        made(file)


@pytest.mark.parametrize("side", [12_000, 25_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    with pytest.raises(BadDimensions):
        made(pictures.bomb(side))


def test_a_lying_header_is_refused() -> None:
    with pytest.raises(GatewayError):
        made(pictures.lying_header(60_000))


def test_exif_without_end_is_refused_or_gone() -> None:
    file = pictures.with_chunk(pictures.png(), b"eXIf", b"MM\0*" + bytes(9_000_000))
    picture, _ = made(file)
    assert len(picture.png) < 1_000_000


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"iTXt"])
def test_a_chunk_that_inflates_without_end_is_refused_or_ignored(kind: bytes) -> None:
    packed = zlib.compress(bytes(20_000_000), 9)
    heads = {b"zTXt": b"k\0\0", b"iCCP": b"k\0\0", b"iTXt": b"k\0\1\0\0\0"}
    try:
        picture, _ = made(pictures.with_chunk(pictures.png(), kind, heads[kind] + packed))
    except ContentMismatch:
        return
    assert len(picture.png) < 1_000_000


@pytest.mark.parametrize("size", [(1, 400), (400, 1), (1, 1), (63, 64), (64, 257)])
def test_a_sliver_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(BadDimensions) as caught:
        made(pictures.png(size))
    assert caught.value.details["width_px"] == size[0]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_refused(kind: str) -> None:
    with pytest.raises(TypeNotAllowed) as caught:
        made(pictures.animated(kind))
    assert caught.value.details["reason"] == "animated"


def test_what_hides_behind_the_picture_is_gone() -> None:
    script = b"<script>alert(1)</script>"
    file = pictures.jpeg(comment=script) + b"PK\x03\x04" + script
    picture, _ = made(file)
    assert script not in picture.png


@given(st.data())
def test_a_file_with_flipped_bytes_decodes_or_is_refused(data: st.DataObject) -> None:
    file = bytearray(data.draw(st.sampled_from(FILES)))
    for _ in range(data.draw(st.integers(1, 20))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        _, image = made(bytes(file))
    except GatewayError:
        return
    assert image.mode == "RGB"


def test_a_mask_takes_the_size_of_the_photo_and_only_two_values() -> None:
    person, _ = made(pictures.png((320, 400)))
    halves = Image.new("L", (160, 200), 40)
    halves.paste(220, (0, 0, 80, 200))
    mask = normalise_mask(Upload("mask", pictures.encoded(halves, "PNG"), None), person, LIMITS)
    image = Image.open(io.BytesIO(mask.png))
    assert (image.mode, image.size) == ("L", (320, 400))
    assert image.getextrema() == (0, 255)


def test_a_mask_of_other_proportions_is_refused() -> None:
    person, _ = made(pictures.png((320, 400)))
    with pytest.raises(InvalidInput):
        normalise_mask(Upload("mask", pictures.png((400, 320)), None), person, LIMITS)


def test_our_own_png_is_described_by_its_header() -> None:
    picture, _ = made(pictures.jpeg())
    assert picture_of_png(picture.png) == picture
