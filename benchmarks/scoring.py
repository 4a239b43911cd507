"""Score of a try-on against its ground truth: numbers that agree with the eye.

Structural similarity and pixel-wise gradients are printed for reference alone: on stripes, doing
nothing beats a good try-on whose stripes lie a few pixels off. So the judged numbers tolerate a
small displacement, and ask separately for colour, pattern, outline and what must stay untouched.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.feature import match_template
from skimage.metrics import structural_similarity

from benchmarks.pairs import Pair
from benchmarks.regions import (
    RGB,
    Mask,
    around,
    changed,
    difference,
    grow,
    inner_band,
    iou,
    shrink,
)

Lab: TypeAlias = NDArray[np.float64]  # (H, W, 3), CIE L*a*b*

_MARGIN_PX = 40  # context kept around the union
_SEEN = 10  # a channel that moves by more is seen to change
_DISPLACEMENT_PX = 12  # a part may lie this far off and still count as present
_SAME_COLOUR = 12.0  # CIE76 distance up to which two colours count as the same
_OUTLINE_PX = 8  # width of the band that judges an outline
_COLOUR_SIGMA_PX = 8.0  # blur that leaves colour and takes pattern away
_UNCOVERED_MIN_PX = 300  # fewer uncovered pixels are a rim, not a region
_FRONT_MIN_PX = 50


@dataclass(frozen=True, slots=True)
class Score:
    """One result's numbers; None where the pair has no such region."""

    wrong_pct: float  # share of the union that is missing or invented, 0..100
    colour_de: float  # CIEDE2000 inside the new garment after a blur
    texture: float | None  # best pattern match nearby, -1..1
    revealed_de: float | None  # CIEDE2000 where skin, wall or trousers must be uncovered
    boundary_iou: float  # outline of the changed region, 0..1
    front_share: float | None  # hands, hair, face, neck painted over, 0..1
    outside_pct: float  # pixels touched outside the union, 0..100
    ssim: float  # structural similarity, for reference
    pixel_de: float  # CIEDE2000 pixel by pixel, for reference
    energy: float  # gradient energy, result over truth: under 1 is blurred
    region_iou: float  # changed region against the union, 0..1
    outside_max: int  # largest change outside the union, 0..255
    far_max: int  # the same far outside, where no idea of the garment excuses it


def score(pair: Pair, result: RGB) -> Score:
    """Compare a result, (H, W, 3) of the person's photo, with the pair's truth."""
    if result.shape != pair.person.shape:
        raise ValueError(f"{pair.id}: result is {result.shape}, photo {pair.person.shape}")
    box = around(pair.union, _MARGIN_PX)
    truth, union, new = pair.truth[box], pair.union[box], pair.new[box]
    seen = result[box]
    lab_truth, lab_result = rgb2lab(truth), rgb2lab(seen)
    touched = difference(result, pair.person)
    outside = touched[~grow(pair.union, 6)]
    region_iou, boundary_iou = _outline(pair, result)
    return Score(
        wrong_pct=_wrong_pct(lab_truth, lab_result, union),
        colour_de=_colour_de(lab_truth, lab_result, new),
        texture=_texture(lab_truth[..., 0], lab_result[..., 0], shrink(new, 5)),
        revealed_de=_revealed_de(lab_truth, lab_result, pair.old[box] & ~new),
        boundary_iou=boundary_iou,
        front_share=_front_share(touched, shrink(pair.front, 3)),
        outside_pct=float((outside > 0).mean() * 100),
        ssim=_ssim(truth, seen, union),
        pixel_de=float(deltaE_ciede2000(lab_truth[new], lab_result[new]).mean()),
        energy=_energy(lab_truth[..., 0], lab_result[..., 0], shrink(new, 5)),
        region_iou=region_iou,
        outside_max=int(outside.max(initial=0)),
        far_max=int(touched[~grow(pair.union, 40)].max(initial=0)),
    )


def _wrong_pct(truth: Lab, result: Lab, region: Mask) -> float:
    """Share of the region whose colour is not found nearby in the other picture, either way."""
    a, b = (gaussian_filter(lab, (1, 1, 0)).astype(np.float32) for lab in (truth, result))
    farthest = np.maximum(_nearest_squared(a, b, region), _nearest_squared(b, a, region))
    return float((farthest > _SAME_COLOUR**2).mean() * 100)


def _nearest_squared(
    of: NDArray[np.float32], among: NDArray[np.float32], region: Mask
) -> NDArray[np.float32]:
    """Squared colour distance, per pixel of the region, to the best match within reach, (N,)."""
    reach, step = _DISPLACEMENT_PX, 3
    padded = np.pad(among, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    flat, width = padded.reshape(-1, 3), padded.shape[1]
    ys, xs = np.nonzero(region)
    top_left = ys * width + xs
    wanted = of[region]
    best = np.full(len(wanted), np.inf, np.float32)
    for dy in range(0, 2 * reach + 1, step):
        for dx in range(0, 2 * reach + 1, step):
            gap = wanted - flat.take(top_left + (dy * width + dx), axis=0)
            np.minimum(best, np.einsum("nc,nc->n", gap, gap), out=best)
    return best


def _colour_de(truth: Lab, result: Lab, region: Mask) -> float:
    """Colour alone: the distance after a blur that stays inside the region."""
    weight = gaussian_filter(region.astype(float), _COLOUR_SIGMA_PX)[..., None]
    a, b = (
        gaussian_filter(lab * region[..., None], (_COLOUR_SIGMA_PX, _COLOUR_SIGMA_PX, 0))[region]
        / np.maximum(weight[region], 1e-6)
        for lab in (truth, result)
    )
    return float(deltaE_ciede2000(a, b).mean())


def _revealed_de(truth: Lab, result: Lab, region: Mask) -> float | None:
    if np.count_nonzero(region) < _UNCOVERED_MIN_PX:
        return None
    return float(deltaE_ciede2000(truth[region], result[region]).mean())


def _texture(truth: NDArray[np.float64], result: NDArray[np.float64], region: Mask) -> float | None:
    """Mean best correlation of 40 px windows of the truth within 16 px in the result."""
    size, reach, step = 40, 16, 28
    a, b = gaussian_filter(truth, 1), gaussian_filter(result, 1)
    height, width = region.shape
    found = []
    for y in range(reach, height - size - reach + 1, step):
        for x in range(reach, width - size - reach + 1, step):
            window = a[y : y + size, x : x + size]
            if region[y : y + size, x : x + size].mean() < 0.9 or window.std() < 4:
                continue
            near = b[y - reach : y + size + reach, x - reach : x + size + reach]
            with np.errstate(all="ignore"):  # a flat window of the result has no correlation
                found.append(float(np.nan_to_num(match_template(near, window)).max()))
    return float(np.mean(found)) if len(found) >= 4 else None


def _outline(pair: Pair, result: RGB) -> tuple[float, float]:
    """IoU of the changed region and of its outline; pixels the truth leaves alone do not count."""
    free = pair.union & ~changed(pair.truth, pair.person, _SEEN)
    seen = changed(result, pair.person, _SEEN)
    rim_seen, rim_union = inner_band(seen | free, _OUTLINE_PX), inner_band(pair.union, _OUTLINE_PX)
    return iou(seen & ~free, pair.union & ~free), iou(rim_seen & ~free, rim_union & ~free)


def _front_share(touched: NDArray[np.uint8], front: Mask) -> float | None:
    if np.count_nonzero(front) <= _FRONT_MIN_PX:
        return None
    return float((touched[front] > _SEEN).mean())


def _ssim(truth: RGB, result: RGB, region: Mask) -> float:
    _, local = structural_similarity(
        truth,
        result,
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return float(local.mean(-1)[region].mean())


def _energy(truth: NDArray[np.float64], result: NDArray[np.float64], region: Mask) -> float:
    def gradients(lightness: NDArray[np.float64]) -> float:
        dy, dx = np.gradient(gaussian_filter(lightness, 1.5))
        return float((dy[region] ** 2 + dx[region] ** 2).sum())

    return float((gradients(result) / max(1e-9, gradients(truth))) ** 0.5)
