"""Takes a product off its plain ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORK_PX: Final = 512
_THRESHOLDS: Final = (9.0, 6.0, 4.0, 2.6, 1.8)  # CIE76 from the ground; white on white needs little
_BORDER_PX: Final = 4
_SMALLEST_SHARE: Final = 0.03


@dataclass(frozen=True, slots=True)
class Cutout:
    """A product without its ground.

    alpha: (H, W) float32, 0..1. ground_noise: CIE76, how restless the ground is. raggedness:
    perimeter squared over area of the outline (a circle has 12.6). touching: share of the
    picture's border that the product covers.
    """

    alpha: NDArray[np.float32]
    ground_noise: float
    raggedness: float
    touching: float


def cut_out(rgb: NDArray[np.uint8]) -> Cutout | None:
    """Finds the one thing that stands out from the ground; None where nothing does.

    rgb: (H, W, 3) uint8.
    """
    height, width = rgb.shape[:2]
    zoom = min(1.0, _WORK_PX / max(height, width))
    size = (max(8, round(width * zoom)), max(8, round(height * zoom)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    distance, noise = _from_ground(small)
    best: tuple[float, NDArray[np.uint8]] | None = None
    for threshold in _THRESHOLDS:
        silhouette = _silhouette(distance, max(threshold, 3.0 * noise))
        if silhouette is None:
            continue
        ragged = _raggedness(silhouette)
        if best is None or ragged < 0.8 * best[0] or _regains(silhouette, best, ragged):
            best = (ragged, silhouette)
    if best is None:
        return None
    soft = cv2.resize(best[1].astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(soft, (0, 0), max(0.8, 1.0 / zoom))
    alpha = np.clip((soft - 0.5) * 4 + 0.3, 0, 1).astype(np.float32)  # a little inside the edge
    return Cutout(alpha, noise, best[0], _touching(best[1]))


def _from_ground(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """CIE76 distance of each pixel from the ground fitted to the border, and the ground's noise."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], -1)
    border = np.ones((height, width), bool)
    border[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX] = False
    samples, basis = lab[border], terms[border]
    keep = np.linalg.norm(samples - np.median(samples, 0), axis=1) < 12
    if keep.sum() < 0.3 * len(keep):
        keep = np.ones(len(keep), bool)
    weights, *_ = np.linalg.lstsq(basis[keep], samples[keep], rcond=None)
    distance = np.linalg.norm(lab - terms @ weights, axis=-1).astype(np.float32)
    return distance, float(np.percentile(distance[border][keep], 80))


def _silhouette(distance: NDArray[np.float32], threshold: float) -> NDArray[np.uint8] | None:
    """What differs from the ground or is enclosed by it: (H, W) uint8 0 or 1."""
    near = np.pad((distance < threshold).astype(np.uint8), 1, constant_values=1)
    _, labels = cv2.connectedComponents(near, connectivity=4)
    ground = (labels == labels[0, 0])[1:-1, 1:-1]
    thing = cv2.morphologyEx((~ground).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(thing)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    if stats[largest, cv2.CC_STAT_AREA] < _SMALLEST_SHARE * thing.size:
        return None
    return (labels == largest).astype(np.uint8)


def _raggedness(silhouette: NDArray[np.uint8]) -> float:
    contours, _ = cv2.findContours(silhouette, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=cv2.contourArea)
    return float(cv2.arcLength(contour, closed=True) ** 2 / max(1.0, cv2.contourArea(contour)))


def _regains(
    silhouette: NDArray[np.uint8], best: tuple[float, NDArray[np.uint8]], ragged: float
) -> bool:
    """A lower threshold gives back a lost part without fraying the edge."""
    return bool(silhouette.sum() > 1.12 * best[1].sum() and ragged < 1.15 * best[0])


def _touching(silhouette: NDArray[np.uint8]) -> float:
    edges = [silhouette[0], silhouette[-1], silhouette[:, 0], silhouette[:, -1]]
    return float(np.concatenate(edges).mean())
