"""What a try-on is made of and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from handlers.vision.blend import lay_over
from handlers.vision.body import polygon
from handlers.vision.light import toned
from handlers.vision.warp import spline_maps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.charts import Chart
    from handlers.vision.person import Person

    Mask = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the caller should know about a result."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Dressed:
    """A finished try-on.

    image: (H, W, 3) uint8; touched: (H, W) bool, everywhere else the photo is unchanged.
    """

    image: NDArray[np.uint8]
    touched: NDArray[np.bool_]
    confidence: float
    warnings: tuple[Notice, ...]

    @property
    def kept_share(self) -> float:
        """Share of the photo's pixels that are exactly as they were."""
        return float(1 - self.touched.mean())


@dataclass(frozen=True, slots=True)
class Cloth:
    """The new garment as it lies in the photo: rgb (H, W, 3) float32; alphas (H, W) 0..1."""

    rgb: NDArray[np.float32]
    alpha: Mask
    sleeves: Mask


def finished(
    person: Person,
    image: NDArray[np.float32],
    changed: NDArray[np.bool_],
    confidence: float,
    warnings: tuple[Notice, ...],
) -> Dressed:
    """Rounds, and puts the photo's own pixels wherever nothing was changed."""
    image += 0.5
    result = np.clip(image, 0, 255, out=image).astype(np.uint8)
    result[~changed] = person.rgb[~changed]
    return Dressed(result, changed, confidence, warnings)


def paint_chart(
    colours: NDArray[np.uint8],
    cover: Mask,
    chart: Chart,
    rgb: NDArray[np.float32],
    alpha: Mask,
    scale_px: float,
) -> None:
    """Paints one chart over what is there: colours a little beyond its outline, alpha up to it.

    colours: (h, w, 3) uint8 and cover: (h, w) float32 of the garment's photo; rgb: (H, W, 3) and
    alpha: (H, W) float32 of the person's photo, changed in place.
    """
    height, width = alpha.shape
    pad = int(0.12 * scale_px) + 4
    low, high = chart.outline.min(0).astype(int) - pad, chart.outline.max(0).astype(int) + pad
    x0, y0, x1, y1 = max(0, low[0]), max(0, low[1]), min(width, high[0]), min(height, high[1])
    if x1 - x0 < 4 or y1 - y0 < 4:
        return
    map_x, map_y = spline_maps(
        chart.source, chart.target, (x0, y0, x1, y1), max(6, int(0.05 * scale_px))
    )
    warped = cv2.remap(colours, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    covered = cv2.remap(cover, map_x, map_y, cv2.INTER_LINEAR, borderValue=0)
    shifted = chart.outline - [x0, y0]
    inside = polygon((y1 - y0, x1 - x0), shifted)
    near = cv2.dilate(
        inside.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=max(2, pad // 3)
    )
    crop = np.s_[y0:y1, x0:x1]
    mine = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.0) * covered
    unpainted = (alpha[crop] < 0.01) & (rgb[crop].sum(-1) == 0) & (near > 0)
    paint = np.where(unpainted, 1.0, mine).astype(np.float32)
    lay_over(rgb[crop], toned(warped).astype(np.float32), paint)
    alpha[crop] = np.maximum(alpha[crop], mine)
