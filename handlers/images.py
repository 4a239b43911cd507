"""Bytes to pixels and back, and the size a result may have.

Pixels are (H, W, 3) uint8 RGB throughout; a mask is (H, W) bool, true where white.
"""

from dataclasses import asdict, dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.errors import BadDimensions, InferenceFailed, UndecodableImage
from handlers.settings import Encoding, Limits

_WHITE: Final = 128
_PLANE: Final = 2


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width_px: int
    height_px: int


def decode(data: bytes, part: str, max_pixels: int) -> NDArray[np.uint8]:
    """Decode the picture of `part` to (H, W, 3) uint8 RGB.

    Raises UndecodableImage for bytes that are no picture, BadDimensions for too many pixels.
    """
    return cv2.cvtColor(_decode(data, part, cv2.IMREAD_COLOR, max_pixels), cv2.COLOR_BGR2RGB)


def decode_mask(data: bytes, max_pixels: int) -> NDArray[np.bool_]:
    """Decode a mask to (H, W) bool, true where white; raises as `decode` does."""
    return _decode(data, "mask", cv2.IMREAD_GRAYSCALE, max_pixels) >= _WHITE


def result_size(source: Size, wished: tuple[int | None, int | None], limits: Limits) -> Size:
    """Give the size of a result with the proportions of `source`.

    It fits the wished box (the default one where nothing is wished) and is never enlarged, except
    as far as the smallest allowed result demands: that one outranks the box.
    Raises BadDimensions when a side would pass the largest allowed.
    """
    box = (wished[0] or limits.max_side_px, wished[1] or limits.max_side_px)
    if wished == (None, None):
        box = (limits.default_width_px, limits.default_height_px)
    needed = max(limits.min_width_px / source.width_px, limits.min_height_px / source.height_px)
    largest = limits.max_side_px / max(source.width_px, source.height_px)
    if needed > largest:
        raise BadDimensions(
            "No allowed size fits the person photo's proportions.",
            {"image": "person_image", **asdict(source), "limits": asdict(limits)},
        )
    fitting = min(1.0, box[0] / source.width_px, box[1] / source.height_px)
    scale = min(max(fitting, needed), largest)
    return Size(round(source.width_px * scale), round(source.height_px * scale))


def resize(pixels: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Scale (H, W, 3) pixels to `size`; unchanged pixels come back as they are."""
    if pixels.shape[:2] == (size.height_px, size.width_px):
        return pixels
    shrinks = size.width_px < pixels.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (size.width_px, size.height_px), interpolation=method))


def resize_mask(mask: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """Scale a (H, W) mask to `size`."""
    grown = cv2.resize(
        mask.astype(np.uint8), (size.width_px, size.height_px), interpolation=cv2.INTER_NEAREST
    )
    return np.asarray(grown, bool)


def equal_share(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Give the share of pixels, 0..1, that are exactly the same in two (H, W, 3) pictures."""
    return float(np.mean(np.all(one == other, axis=2)))


def encode(pixels: NDArray[np.uint8], output_format: str, quality: Encoding) -> bytes:
    """Encode (H, W, 3) uint8 RGB as jpeg, png or webp, without metadata."""
    extension, option, value = {
        "jpeg": (".jpg", cv2.IMWRITE_JPEG_QUALITY, quality.jpeg_quality),
        "png": (".png", cv2.IMWRITE_PNG_COMPRESSION, quality.png_compression),
        "webp": (".webp", cv2.IMWRITE_WEBP_QUALITY, quality.webp_quality),
    }[output_format]
    return _encoded(extension, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), int(option), value)


def encode_png(pixels: NDArray[np.uint8], compression: int) -> bytes:
    """Encode (H, W) values or (H, W, 3) RGB, uint8, as PNG; compression is 0..9."""
    ordered = pixels if pixels.ndim == _PLANE else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return _encoded(".png", ordered, int(cv2.IMWRITE_PNG_COMPRESSION), compression)


def _encoded(extension: str, pixels: NDArray[np.uint8], option: int, value: int) -> bytes:
    fine, data = cv2.imencode(extension, pixels, [option, value])
    if not fine:
        raise InferenceFailed("The result could not be encoded.", {"extension": extension})
    return data.tobytes()


def _decode(data: bytes, part: str, mode: int, max_pixels: int) -> NDArray[np.uint8]:
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error:
        decoded = None
    if decoded is None:
        raise UndecodableImage("A part of the request is not a picture.", {"image": part})
    height_px, width_px = decoded.shape[:2]
    if height_px * width_px > max_pixels:
        raise BadDimensions(
            "A picture has too many pixels.",
            {"image": part, "width_px": width_px, "height_px": height_px, "max_pixels": max_pixels},
        )
    return np.asarray(decoded, np.uint8)
