"""The light of the scene on new cloth: folds, roundness, contact shadows, tone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.float32]

_FOLD_LIMITS: Final = (-0.22, 0.16)
_FOLD_STRENGTH: Final = 0.6
_PRINT_EDGE: Final = 0.2  # a change of light this strong is a print or a seam, not a fold
_TONE_GAMMA: Final = 1.1  # product studios expose brighter than rooms


def masked_blur(values: NDArray[np.float32], mask: Mask, sigma_px: float) -> NDArray[np.float32]:
    """A Gaussian that sees only what lies in the mask; (H, W) or (H, W, C) float32."""
    shrink = max(1, int(sigma_px / 3))
    height, width = mask.shape
    size = (max(1, width // shrink), max(1, height // shrink))
    weight = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    extended = mask if values.ndim == 2 else mask[..., None]
    small = cv2.resize(values * extended, size, interpolation=cv2.INTER_AREA)
    sigma = sigma_px / shrink
    den = cv2.GaussianBlur(weight, (0, 0), sigma) + 1e-4
    num = cv2.GaussianBlur(small, (0, 0), sigma)
    mixed = num / (den if values.ndim == 2 else den[..., None])
    return cv2.resize(mixed, (width, height), interpolation=cv2.INTER_LINEAR)


def folds(lightness: NDArray[np.float32], cloth: Mask, scale_px: float) -> NDArray[np.float32]:
    """What the folds of the old garment do to light: (H, W) float32 factors around 1.

    lightness: (H, W) float32, 0..255 of the photo; cloth: (H, W), 0..1, where the old garment is.
    """
    known = np.maximum(cloth, 1e-3).astype(np.float32)
    fine = masked_blur(lightness, known, 0.014 * scale_px)
    broad = masked_blur(lightness, known, 0.16 * scale_px)
    relief = fine / np.maximum(broad, 6) - 1
    printed = cv2.GaussianBlur(
        (np.abs(relief) > _PRINT_EDGE).astype(np.float32), (0, 0), 0.03 * scale_px
    )
    relief = np.clip(relief, *_FOLD_LIMITS) * np.clip(1 - 2.5 * printed, 0, 1)
    return (1 + _FOLD_STRENGTH * relief * np.clip(cloth, 0, 1)).astype(np.float32)


def roundness(alpha: Mask, scale_px: float) -> NDArray[np.float32]:
    """Cloth darkens where it turns away, towards its outline: (H, W) float32 factors."""
    shrink = max(1, int(scale_px / 60))
    height, width = alpha.shape
    small = cv2.resize(alpha, (width // shrink, height // shrink), interpolation=cv2.INTER_AREA)
    depth = cv2.distanceTransform((small > 0.5).astype(np.uint8), cv2.DIST_L2, 3) * shrink
    depth = cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR)
    return (1 - 0.10 * np.exp(-depth / (0.05 * scale_px))).astype(np.float32)


def contact_shadow(above: Mask, scale_px: float) -> NDArray[np.float32]:
    """What lies on the cloth, a hand or a chin, shades it a little below: (H, W) factors."""
    shift = np.array([[1, 0, 0], [0, 1, 0.03 * scale_px]], np.float32)
    cast = cv2.warpAffine(above, shift, (above.shape[1], above.shape[0]))
    return (1 - 0.22 * cv2.GaussianBlur(cast, (0, 0), 0.03 * scale_px)).astype(np.float32)


def toned(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """From the product studio's exposure to a room's: (H, W, 3) uint8."""
    levels = np.arange(256) / 255
    curve = np.round(255 * levels**_TONE_GAMMA).astype(np.uint8)
    return cv2.LUT(rgb, curve)
