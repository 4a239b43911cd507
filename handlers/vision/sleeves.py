"""Decides where sleeves come to lie on arms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from handlers.vision.arms import ARM_STATIONS
from handlers.vision.charts import Chart
from handlers.vision.lines import resample, sign, smooth, to_edge
from handlers.vision.shape import bare_tip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Point, Polyline, Side
    from handlers.vision.charts import Edge
    from handlers.vision.garment_sides import GarmentSide, Sleeve
    from handlers.vision.person import Person

SLEEVE_SNAP: Final = 0.10  # arm lengths
_SHOULDER_CAP: Final = 0.22  # arm lengths; a sleeveless garment's shoulder reaches so far
_LONG_SLEEVE: Final = 0.72  # arm lengths; from here on a cuff belongs to the wrist
_INNER_EASE: Final = 0.25  # towards the body a wide sleeve has less room
_LOOSE: Final = 1.45  # sleeve over arm; below, a sleeve is taken to follow the arm
_EDGE_REACH: Final = 0.06  # shoulder widths within which a seen outline is the new one
_LOOSE_CLOTH: Final = (0.85, 1.05, 1.35)  # share of the natural width over skin, its limits
_SLIM_SLEEVE: Final = 0.7  # sleeve over arm; below, the sleeve is the narrower one


@dataclass(frozen=True, slots=True)
class SleeveLie:
    """How a sleeve lies: its end in arm lengths, and photo pixels for one of its own."""

    end: float
    scale: float


def sleeve_end(person: Person, side: Side, tip: Point, length_px: float) -> float:
    """How far a sleeve reaches, in arm lengths; close to the old end, to it."""
    arm = person.shape.sides[side].arm
    run, stations = sleeve_way(person, side, tip)
    natural = float(np.interp(length_px, run, stations, right=length_px / run[-1]))
    if natural > _LONG_SLEEVE:
        return 1.03
    if abs(natural - arm.sleeve_end) < SLEEVE_SNAP and arm.sleeve_end > _SHOULDER_CAP:
        return arm.sleeve_end
    return float(max(natural, 0.15))


def sleeve_way(
    person: Person, side: Side, tip: Point
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The way from a shoulder's end along the arm's outer edge: lengths in px, stations 0..1."""
    shape = person.shape.sides[side]
    edge = shape.arm.axis + shape.arm.outward * shape.arm.outer[:, None]
    begin = ARM_STATIONS // 6
    way = np.concatenate([[tip, shape.tip], edge[begin:]])
    run = np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))[1:]
    return run, np.linspace(0, 1, ARM_STATIONS)[begin:]


def sleeve_chart(
    person: Person, cut: GarmentSide, sleeve: Sleeve, side: Side, edge: Edge, lie: SleeveLie
) -> Chart:
    """Where one sleeve lies on its arm.

    edge: the torso's side it is sewn to; lie: how far it reaches and its size in the photo.
    """
    outer, inner, stale = _sleeve_edges(person, sleeve, side, lie)
    count = len(sleeve.outer)
    shape = person.shape.sides[side]
    # the old shoulder may stand off, as its sleeve does
    corner = bare_tip(person.body, side, shape.tip) if stale else shape.tip
    o = _edge_line(np.stack([edge.armhole[0], corner]), outer, 0.15, lie.end, count)
    if not stale:
        reach = _EDGE_REACH * person.body.scale_px
        o[1:-1] = to_edge(person.background, o[1:-1], _normals(o, side)[1:-1], reach)
    pit = float(((shape.arm.axis - edge.armhole[-1]) ** 2).sum(1).argmin()) / (ARM_STATIONS - 1)
    i = _edge_line(edge.armhole[-1:], inner, pit + 0.1, lie.end, count)
    cuff = [(sleeve.outer[-1] + sleeve.inner[-1]) / 2], [(o[-1] + i[-1]) / 2]
    source = np.concatenate([sleeve.outer, sleeve.inner[1:], cut.armhole[1:-1:2], cuff[0]])
    target = np.concatenate([o, i[1:], edge.armhole[1:-1:2], cuff[1]])
    beyond = (o[-1] - o[-2] + i[-1] - i[-2]) / 2
    beyond *= 0.02 * person.body.scale_px / (np.linalg.norm(beyond) + 1e-9)
    outline = np.concatenate([o, [o[-1] + beyond, i[-1] + beyond], i[::-1], edge.armhole[::-1]])
    return Chart(source, target, outline)


def _sleeve_edges(
    person: Person, sleeve: Sleeve, side: Side, lie: SleeveLie
) -> tuple[Polyline, Polyline, bool]:
    """Outer and inner edge at the arm's stations, and whether an old, shorter sleeve is ignored."""
    arm = person.shape.sides[side].arm
    stations = np.linspace(0, 1, ARM_STATIONS)
    stale = (stations > 0.2) & (stations < arm.sleeve_end + 0.06)
    stale &= lie.end > arm.sleeve_end + 0.05
    bare = stations > arm.sleeve_end + 0.02
    half_outer = np.where(stale, np.minimum(arm.outer, 1.1 * arm.bare), arm.outer)
    half_inner = np.where(stale, np.minimum(arm.inner, 1.1 * arm.bare), arm.inner)
    natural = np.linalg.norm(sleeve.outer - sleeve.inner, axis=1) / 2 * lie.scale
    along = np.linspace(0, lie.end, len(natural))
    ratio = np.interp(stations, along, natural) / ((half_outer + half_inner) / 2)
    share, least, most = _LOOSE_CLOTH
    loose = np.where(ratio > _LOOSE, np.minimum(ratio / _LOOSE, 1.3), 1.0)
    loose = np.where(bare | stale, np.clip(share * ratio, least, most), loose)
    slim = np.maximum(ratio / _SLIM_SLEEVE, 0.75)
    loose = smooth(np.where(ratio < _SLIM_SLEEVE, slim, loose), 1.5)
    outer = arm.axis + arm.outward * (smooth(half_outer, 1.0) * loose)[:, None]
    room = 1 + (loose - 1) * _INNER_EASE
    inner = arm.axis - arm.outward * (smooth(half_inner, 1.0) * room)[:, None]
    free = ((loose > 1.02) & ~bare) | stale
    seen = to_edge(person.background, outer, arm.outward, _EDGE_REACH * person.body.scale_px)
    return np.where(free[:, None], outer, seen), inner, bool(stale.any())


def _normals(line: Polyline, side: Side) -> Polyline:
    """Unit normals of a line that runs from the shoulder to the hand, away from the body."""
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    return np.stack([along[:, 1], -along[:, 0]], -1) * sign(side)


def _edge_line(start: Polyline, line: Polyline, begin: float, end: float, count: int) -> Polyline:
    """From a seam along one edge of the arm to the sleeve's end, at equal steps."""
    stations = np.linspace(0, 1, len(line))
    begin = min(begin, 0.6 * end)
    at = np.linspace(begin, min(end, 1.0), 24)
    points = np.stack([np.interp(at, stations, line[:, k]) for k in range(2)], -1)
    if end > 1:
        step = (points[-1] - points[-2]) / np.linalg.norm(points[-1] - points[-2])
        length = np.linalg.norm(np.diff(line, axis=0), axis=1).sum()
        points = np.concatenate([points, [points[-1] + step * length * (end - 1)]])
    return resample(np.concatenate([start, points]), count)[0]
