"""Turn an upload into what every engine can rely on: an upright RGB PNG without metadata.

Decoding is where hostile bytes meet native code, so everything is bounded before a pixel is
decoded: one format per file, a limit on pixels, on proportions, and on embedded profiles.
"""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageCms, UnidentifiedImageError

from gateway.domain.uploads import ImageType, Upload, checked_type
from gateway.errors.kinds import BadDimensions, ContentMismatch, InvalidInput, TypeNotAllowed

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_ORIENTATION_TAG: Final = 0x0112
_MAX_PROFILE_BYTES: Final = 1 << 20
_WIDE_GREYS: Final = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I"})
_TO_8_BIT: Final = 1 / 257
_PNG_LEVEL: Final = 1
_PNG_SIZE: Final = struct.Struct(">II")
_PNG_SIZE_OFFSET: Final = 16
_ASPECT_TOLERANCE: Final = 0.02
_HALF: Final = 128
_BROKEN: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    UnidentifiedImageError,
)


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a picture may measure, and how large it goes to the engine."""

    min_side_px: int
    max_pixels: int
    max_aspect_ratio: float
    working_side_px: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A normalised picture: PNG bytes and their size. Photos are RGB, masks are 8-bit grey."""

    png: bytes
    width_px: int
    height_px: int


def normalise(upload: Upload, limits: ImageLimits) -> Picture:
    """Decode, turn upright, flatten on white, bring to sRGB, shrink, and re-encode an upload.

    Raises TypeNotAllowed (type or animation), ContentMismatch (other type or broken),
    BadFileName, BadDimensions.
    """
    with _opened(upload, limits) as image:
        image.draft(None, (limits.working_side_px, limits.working_side_px))
        try:
            photo = _shrunk(_flat_rgb(image), limits.working_side_px)
        except _BROKEN as error:
            raise _broken(upload.field) from error
        upright = _upright(photo, image)
    return _picture(upright)


def normalise_mask(upload: Upload, person: Picture, limits: ImageLimits) -> Picture:
    """Bring a mask onto the normalised person photo: 8-bit grey, same size, only 0 and 255.

    Raises what `normalise` raises, and InvalidInput when the proportions are not the photo's.
    """
    with _opened(upload, limits) as image:
        try:
            grey = _upright(_flat_rgb(image).convert("L"), image)
        except _BROKEN as error:
            raise _broken(upload.field) from error
    check_proportions(upload.field, grey.size, person)
    size = (person.width_px, person.height_px)
    binary = grey.resize(size, Image.Resampling.BILINEAR).point(
        lambda value: 255 if value >= _HALF else 0
    )
    return _picture(binary)


def check_proportions(field: str, size_px: tuple[int, int], person: Picture) -> None:
    """Raise InvalidInput when a picture (width, height) cannot lie on the person's photo."""
    aspect = (size_px[0] / size_px[1]) / (person.width_px / person.height_px)
    if abs(aspect - 1) > _ASPECT_TOLERANCE:
        raise InvalidInput.of(field, "must have the proportions of the person's photo")


def picture_of_png(png: bytes) -> Picture:
    """Describe a PNG of our own making by its header."""
    return Picture(png, *_PNG_SIZE.unpack_from(png, _PNG_SIZE_OFFSET))


def _opened(upload: Upload, limits: ImageLimits) -> ImageFile:
    """Read the header alone, and refuse by what it says."""
    kind = checked_type(upload)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(upload.content), formats=[kind.value])
    except Image.DecompressionBombError:
        raise _bad_size(upload.field, limits) from None
    except _BROKEN as error:
        raise _broken(upload.field) from error
    _check_size(image, upload.field, limits)
    if kind is not ImageType.JPEG and getattr(image, "is_animated", False):
        raise TypeNotAllowed(details={"field": upload.field, "reason": "animated"})
    return image


def _check_size(image: Image.Image, field: str, limits: ImageLimits) -> None:
    width, height = image.size
    short, long = sorted((width, height))
    usable = (
        short >= limits.min_side_px
        and width * height <= limits.max_pixels
        and long <= short * limits.max_aspect_ratio
    )
    if not usable:
        raise _bad_size(field, limits, width_px=width, height_px=height)


def _bad_size(field: str, limits: ImageLimits, **found: int) -> BadDimensions:
    return BadDimensions(
        details={
            "field": field,
            **found,
            "min_side_px": limits.min_side_px,
            "max_pixels": limits.max_pixels,
            "max_aspect_ratio": limits.max_aspect_ratio,
        }
    )


def _flat_rgb(image: ImageFile) -> Image.Image:
    """Decode to 8-bit sRGB; 16-bit grey is scaled, transparency falls on white."""
    image.load()
    if image.mode in _WIDE_GREYS:
        return (
            image.convert("I")
            .point(lambda value: value * _TO_8_BIT + 0.5)
            .convert("L")
            .convert("RGB")
        )
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    converted = _in_srgb(image)
    return converted if converted.mode == "RGB" else converted.convert("RGB")


def _in_srgb(image: ImageFile) -> Image.Image:
    """Apply an embedded colour profile; one that is broken or oversized is ignored."""
    profile = image.info.get("icc_profile")
    if not profile or len(profile) > _MAX_PROFILE_BYTES or image.mode not in {"RGB", "CMYK"}:
        return image
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return converted or image


def _shrunk(image: Image.Image, long_side_px: int) -> Image.Image:
    image.thumbnail((long_side_px, long_side_px), Image.Resampling.LANCZOS)
    return image


def _upright(image: Image.Image, source: Image.Image) -> Image.Image:
    """Apply the source's EXIF orientation; garbage EXIF counts as none."""
    try:
        orientation = source.getexif().get(_ORIENTATION_TAG, 1)
    except _BROKEN:
        return image
    method = _TRANSPOSES.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


_TRANSPOSES: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _picture(image: Image.Image) -> Picture:
    image.info.clear()
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return Picture(buffer.getvalue(), image.width, image.height)


def _broken(field: str) -> ContentMismatch:
    return ContentMismatch("The image is broken or cut off.", details={"field": field})
