"""Puts an upper garment or a dress on a person: warp, reveal, light, layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from handlers.vision import layers
from handlers.vision.blend import lay_over
from handlers.vision.charts import Fit
from handlers.vision.fit import fit_upper
from handlers.vision.light import contact_shadow, folds, roundness
from handlers.vision.lower_tryon import lower_to_remove
from handlers.vision.result import Cloth, Dressed, Notice, finished, paint_chart
from handlers.vision.reveal import without_lower, without_upper

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.garment import Garment
    from handlers.vision.person import Person

    Mask = NDArray[np.float32]


def dress_upper(person: Person, garment: Garment) -> Dressed:
    """Puts on an upper garment or a dress."""
    fit = fit_upper(person, garment)
    cloth = lay(person, garment, fit)
    remove = layers.to_remove(person, fit)
    base = without_upper(person, fit, remove)
    if garment.category == "dresses":
        lower = lower_to_remove(person)
        base = without_lower(person, base, lower * (1 - remove), _leg_row(person, fit.hem_v))
        remove = np.maximum(remove, lower)
    above = layers.above(person, fit, cloth.sleeves)
    lit = lighted(person, cloth, above)
    lay_over(base, lit, cloth.alpha)
    lay_over(base, person.rgb.astype(np.float32), above)
    changed = ((cloth.alpha > 0.004) | (remove > 0.004)) & (above < 0.996)
    return finished(person, base, changed, garment.confidence, _notices(fit))


def lay(person: Person, garment: Garment, fit: Fit) -> Cloth:
    """Warps torso and sleeves, joins them at the seams and covers slivers of the old garment."""
    shape = person.upper.shape
    rgb, alpha = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    sleeves = np.zeros(shape, np.float32)
    scale = person.body.scale_px
    cover = cv2.dilate(garment.alpha, np.ones((7, 7), np.uint8)) * (1 - garment.opening)
    paint_chart(garment.rgb, cover, fit.torso, rgb, alpha, scale)
    for chart in fit.sleeves.values():
        paint_chart(garment.rgb, cover, chart, rgb, sleeves, scale)
    alpha = np.maximum(alpha, sleeves)
    alpha = layers.snapped(person, fit, layers.pits_closed(person, fit, alpha))
    return Cloth(rgb, alpha, sleeves)


def lighted(person: Person, cloth: Cloth, above: Mask) -> NDArray[np.float32]:
    """The cloth in the light of the scene: (H, W, 3) float32; its own colours are used up."""
    scale = person.body.scale_px
    lightness = cv2.cvtColor(person.rgb, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32)
    factor = folds(lightness, np.clip(person.upper * (1 - above), 0, 1), scale)
    factor *= roundness(cloth.alpha, scale) * contact_shadow(above, scale)
    lit = cloth.rgb
    lit *= factor[..., None]
    return lit


def _leg_row(person: Person, v: float) -> float:
    """A height in torso lengths as a share 0..1 of the legs' rows."""
    axis = person.legs.sides["left"].axis
    rows = (axis - person.body.shoulders) @ person.body.down / person.body.torso_px
    return float(np.interp(v, rows, np.linspace(0, 1, len(rows))))


def _notices(fit: Fit) -> tuple[Notice, ...]:
    if not fit.kept_sleeves:
        return ()
    return (Notice("old_sleeves_kept", "the old sleeves are too wide to tell where the arms are"),)
