"""Finds neck, shoulder, armpit, flank and sleeve on the outline of a garment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.body import SIDES, Side
from handlers.vision.lines import resample, sign

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Point, Polyline
    from handlers.vision.silhouette import Silhouette

_SLEEVE_POINTS: Final = 12
_FLANK_ROWS: Final = 12
_CUFF_SHARE: Final = 97  # per cent of a sleeve's edges
_SEAM_POINTS: Final = 8
_SHORTEST_SLEEVE: Final = 0.12  # of the garment's width; less is a ruffle
_PITS_LEVEL: Final = 0.12  # of the garment's height
_LOWEST_PIT: Final = 0.55  # of the garment's height


@dataclass(frozen=True, slots=True)
class Sleeve:
    """One sleeve: outer edge shoulder to cuff and inner edge armpit to cuff, (12, 2) px each."""

    outer: Polyline
    inner: Polyline

    @property
    def length_px(self) -> float:
        """Along the outer edge."""
        return float(np.linalg.norm(np.diff(self.outer, axis=0), axis=1).sum())


@dataclass(frozen=True, slots=True)
class GarmentSide:
    """One side of an upper garment or dress, in pixels of its photo.

    neck: where the shoulder meets the neck; tip: the end of the shoulder; pit: the armpit;
    flank: (12, 2) from the armpit down to the hem; ridge: (8, 2) the outline from neck to tip;
    armhole: (8, 2) from tip to pit, the seam of a sleeve or the edge where there is none.
    """

    neck: Point
    tip: Point
    pit: Point
    ridge: Polyline
    armhole: Polyline
    flank: Polyline
    sleeve: Sleeve | None


def find_sides(sil: Silhouette) -> dict[Side, GarmentSide]:
    """Both sides of an upper garment or dress."""
    bays = _bays(sil)
    return _agreed(sil, {side: _side(sil, side, bays[side]) for side in SIDES})


def _side(sil: Silhouette, side: Side, bay: Point | None) -> GarmentSide:
    """Landmarks of one side; bay: the deepest bay of the outline between sleeve and flank."""
    pit = _armhole_end(sil, side) if bay is None else _inside_joined(sil, bay)
    tip = _tip(sil, side, pit, sleeved=bay is not None)
    neck = _neck(sil, side, tip)
    sleeve = None if bay is None else _sleeve(sil, tip, pit, bay)
    if sleeve is not None and sleeve.length_px < _SHORTEST_SLEEVE * sil.width:
        return _side(sil, side, None)
    seam = np.stack([tip, pit]) if sleeve else _between(sil, tip, pit, 60)
    return GarmentSide(
        neck=neck,
        tip=tip,
        pit=pit,
        ridge=_between(sil, neck, tip, _SEAM_POINTS),
        armhole=resample(seam, _SEAM_POINTS)[0],
        flank=_flank(sil, side, pit),
        sleeve=sleeve,
    )


def _bays(sil: Silhouette) -> dict[Side, Point | None]:
    """The bays between sleeves and flanks: the pair that is deep and most nearly a mirror image."""
    outline = sil.contour[::2].astype(np.int32).reshape(-1, 1, 2)
    defects = cv2.convexityDefects(outline, cv2.convexHull(outline, returnPoints=False))
    found: dict[Side, list[tuple[float, Point]]] = {"left": [], "right": []}
    for _, _, far, depth in defects[:, 0] if defects is not None else []:
        point = outline[far, 0].astype(np.float64)
        side: Side = "left" if point[0] < sil.axis_x else "right"
        low = 0.10 < (point[1] - sil.top) / sil.height < 0.8
        outside = abs(point[0] - sil.axis_x) > 0.12 * sil.width
        deep = depth / 256 / sil.height
        around = outline[(far + np.array([-1, 1]) * int(0.03 * sil.height)) % len(outline), 0]
        waist = (point[1] - around[:, 1]).max() > 0.05 * sil.height  # its upper side climbs
        if low and outside and deep > 0.012 and not waist and _sleeve_beyond(sil, side, point):
            found[side].append((min(deep, 0.2), point))
    best: tuple[float, Point, Point] | None = None
    for depth_left, left in found["left"]:
        for depth_right, right in found["right"]:
            uneven = abs(left[0] + right[0] - 2 * sil.axis_x) + abs(left[1] - right[1])
            score = depth_left + depth_right - 1.5 * uneven / sil.width
            if best is None or score > best[0]:
                best = (score, left, right)
    if best is not None and best[0] > -0.1:
        return {"left": best[1], "right": best[2]}
    return {s: max(found[s], key=lambda c: c[0])[1] if found[s] else None for s in SIDES}


def _inside_joined(sil: Silhouette, bay: Point) -> Point:
    """The armpit; above the bay where sleeve and flank lie on each other in the photo."""
    if bay[1] - sil.top < _LOWEST_PIT * sil.height:
        return bay
    x = sil.axis_x + 0.8 * (bay[0] - sil.axis_x)
    return np.array([x, sil.top + 0.36 * sil.height])


def _sleeve_beyond(sil: Silhouette, side: Side, pit: Point) -> bool:
    """Whether the outline above an armpit reaches well beyond it."""
    above = sil.contour[sil.contour[:, 1] < pit[1] + 0.02 * sil.height]
    reach = ((above[:, 0] - sil.axis_x) * sign(side)).max()
    return bool(reach - (pit[0] - sil.axis_x) * sign(side) > 0.09 * sil.width)


def _armhole_end(sil: Silhouette, side: Side) -> Point:
    """Where the armhole of a sleeveless garment meets the flank."""
    edge = sil.edge(side)
    rows = np.arange(sil.top + int(0.16 * sil.height), sil.top + int(0.42 * sil.height))
    out = (edge[rows] - sil.axis_x) * sign(side)
    if np.isnan(out).all():
        return np.array([sil.axis_x + sign(side) * sil.width / 2, sil.top + 0.3 * sil.height])
    reach = np.nanmax(out)
    first = rows[np.flatnonzero(out > reach - 0.02 * sil.width)[0]]
    return np.array([edge[first], float(first)])


def _tip(sil: Silhouette, side: Side, pit: Point, *, sleeved: bool) -> Point:
    """The end of the shoulder on the outline."""
    if sleeved:
        mine = sil.contour[(sil.contour[:, 0] - sil.axis_x) * sign(side) > 0.1 * sil.width]
        apex = mine[int(mine[:, 1].argmin())]
        x = pit[0] - sign(side) * 0.03 * sil.width
        if (apex[0] - x) * sign(side) > 0:  # puffed shoulders beside a wide, open neck
            x = apex[0] + sign(side) * 0.06 * sil.width
        column = np.flatnonzero(sil.mask[:, int(np.clip(round(x), 0, sil.mask.shape[1] - 1))])
        return np.array([x, float(column[0] if len(column) else pit[1])])
    high = sil.contour[sil.contour[:, 1] < pit[1]]
    score = (high[:, 0] - sil.axis_x) * sign(side) - 1.2 * (high[:, 1] - sil.top)
    return high[int(score.argmax())].copy()


def _neck(sil: Silhouette, side: Side, tip: Point) -> Point:
    """Where shoulder turns into neck: the strongest corner between the tip and the middle."""
    middle = np.array([sil.axis_x, float(np.flatnonzero(sil.mask[:, round(sil.axis_x)])[0])])
    line = _between(sil, tip, middle, 60)
    apex = line[int(line[:, 1].argmin())]
    if (
        middle[1] - apex[1] > 0.1 * sil.height
    ):  # an open neck: its shoulder ends where it is highest
        return apex.copy()
    chord = middle - tip
    normal = np.array([chord[1], -chord[0]]) * sign(side)
    normal /= np.linalg.norm(normal) + 1e-9
    normal *= -1 if normal[1] > 0 else 1
    height = (line - tip) @ normal
    corner = height.copy()
    corner[height < 0] *= -0.8  # the base of a standing collar lies below the chord
    inward = np.abs(line[:, 0] - sil.axis_x) / (np.abs(tip[0] - sil.axis_x) + 1e-6)
    corner[(inward < 0.2) | (inward > 0.85)] = -1
    return line[int(corner.argmax())].copy()


def _between(sil: Silhouette, start: Point, end: Point, count: int) -> Polyline:
    """The shorter way along the outline from one point to another, resampled."""
    i = int(((sil.contour - start) ** 2).sum(1).argmin())
    j = int(((sil.contour - end) ** 2).sum(1).argmin())
    forth = np.roll(sil.contour, -i, 0)[: (j - i) % len(sil.contour) + 1]
    back = np.roll(sil.contour[::-1], i + 1, 0)[: (i - j) % len(sil.contour) + 1]
    way = forth if len(forth) <= len(back) else back
    return resample(way, count)[0] if len(way) > 1 else np.repeat(start[None], count, 0)


def _flank(sil: Silhouette, side: Side, pit: Point) -> Polyline:
    """The edge from the armpit down to the hem: (12, 2)."""
    edge = sil.edge(side)
    hem = sil.hem_y - 0.035 * sil.height
    rows = np.linspace(min(pit[1] + 2, hem - 2), hem, _FLANK_ROWS)
    x = edge[rows.astype(int)]
    known = ~np.isnan(x)
    x = np.interp(rows, rows[known], x[known])
    x[0] = pit[0]
    if (x[1] - pit[0]) * sign(side) > 0.04 * sil.width:  # a joined sleeve still hides the flank
        free = np.abs(np.gradient(x)) < 0.02 * sil.width
        free[0] = True
        x = np.interp(rows, rows[free], x[free])
    return np.stack([x, rows], -1)


def _sleeve(sil: Silhouette, tip: Point, pit: Point, bay: Point) -> Sleeve:
    """The two edges of a sleeve, split at the corners of its cuff."""
    way = _between(sil, tip, bay, 160)
    if bay is not pit:
        way = np.concatenate([way, resample(np.stack([bay, pit]), 40)[0]])
    middle = (tip + pit) / 2
    from_middle = way - middle
    far = from_middle[int((from_middle**2).sum(1).argmax())]
    axis = far / (np.linalg.norm(far) + 1e-9)
    along = from_middle @ axis
    normal = np.array([-axis[1], axis[0]])
    normal *= 1 if normal @ (tip - pit) > 0 else -1
    outer_end = np.flatnonzero(along > 0.45 * along.max())
    across = from_middle[outer_end] @ normal
    o = outer_end[int((along[outer_end] + 0.9 * across).argmax())]
    i = outer_end[int((along[outer_end] - 0.9 * across).argmax())]
    o, i = sorted((max(1, int(o)), min(len(way) - 2, int(i))))
    outer, inner = way[: o + 1], way[i:][::-1]
    # the last bit of a cuff shows its dark inside
    outer, inner = (resample(line, 100)[0][:_CUFF_SHARE] for line in (outer, inner))
    return Sleeve(resample(outer, _SLEEVE_POINTS)[0], resample(inner, _SLEEVE_POINTS)[0])


def _agreed(sil: Silhouette, sides: dict[Side, GarmentSide]) -> dict[Side, GarmentSide]:
    """Sleeves come in pairs: a lone one, or a sash, gives way to the mirror of the other."""
    left, right = sides["left"], sides["right"]
    if left.sleeve is None and right.sleeve is None:
        return sides
    if left.sleeve is None or right.sleeve is None:
        good: Side = "left" if left.sleeve else "right"
    elif abs(left.pit[1] - right.pit[1]) < _PITS_LEVEL * sil.height and (
        0.7 < left.sleeve.length_px / right.sleeve.length_px < 1.4
    ):
        return sides
    else:
        good = "left" if left.sleeve.length_px < right.sleeve.length_px else "right"
    mirror = _mirrored(sil, sides[good])
    return {
        "left": left if good == "left" else mirror,
        "right": right if good == "right" else mirror,
    }


def _mirrored(sil: Silhouette, side: GarmentSide) -> GarmentSide:
    def flip(line: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([2 * sil.axis_x - line[..., 0], line[..., 1]], -1)

    return GarmentSide(
        neck=flip(side.neck),
        tip=flip(side.tip),
        pit=flip(side.pit),
        ridge=flip(side.ridge),
        armhole=flip(side.armhole),
        flank=flip(side.flank),
        sleeve=side.sleeve and Sleeve(flip(side.sleeve.outer), flip(side.sleeve.inner)),
    )
