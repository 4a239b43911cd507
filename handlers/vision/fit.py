"""Decides where each point of an upper garment or dress comes to lie on a body.

A garment is cut into charts, one torso and two sleeves, that share their seams. The outline
already seen in the photo is kept wherever the new garment would come close to it: it is a true
outline, with the photo's own edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from handlers.vision.body import SIDES, Side
from handlers.vision.charts import Chart, Edge, Fit
from handlers.vision.lines import sign, smooth
from handlers.vision.shape import FLANK_V, RIDGE_U
from handlers.vision.sleeves import SLEEVE_SNAP, SleeveLie, sleeve_chart, sleeve_end, sleeve_way

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Body, Point, Polyline
    from handlers.vision.garment import Garment
    from handlers.vision.person import Person

_SNUG: Final = (0.95, 1.06)  # new width over seen width that is taken for the same
_SLIM: Final = 0.965  # narrower than the seen outline by this much at most
_WIDEST: Final = 1.3
_LONGEST_STRETCH: Final = 1.35
_HEM_SNAP: Final = 0.04  # torso lengths
_NECK_SNAP: Final = 0.08  # shoulder widths
_LONG_BY_TORSO: Final = 0.85  # sleeve over front length of the garment
_EASE: Final = 1.1  # cloth goes around a chest, a photo shows it from the front
_ARM_SHADOW: Final = 0.2  # torso lengths below the armpit where the arm hides the flank
_SEAM_LAP: Final = 0.03  # shoulder widths
_BULKY: Final = 1.42  # an old sleeve this much wider than a bare arm hides where the arm is


def fit_upper(person: Person, garment: Garment) -> Fit:
    """Fits an upper garment or a dress on a person."""
    scale = _pixel_scale(person, garment)
    hem_v = _hem_v(person, garment, scale)
    edges = {side: _torso_edge(person, garment, side, scale, hem_v) for side in SIDES}
    sleeves: dict[Side, Chart] = {}
    ends: dict[Side, float] = {}
    for side in SIDES:
        cut, edge = garment.sides[side], edges[side]
        ends[side] = 0.0
        if cut.sleeve is not None:
            ends[side] = sleeve_end(person, side, edge.armhole[0], cut.sleeve.length_px * scale)
            lie = SleeveLie(ends[side], scale)
            sleeves[side] = sleeve_chart(person, cut, cut.sleeve, side, edge, lie)
    return Fit(
        torso=_torso_chart(person, garment, edges, scale, hem_v),
        sleeves=sleeves,
        sleeve_end=ends,
        armholes={side: edges[side].armhole for side in SIDES},
        flanks={side: edges[side].flank for side in SIDES},
        kept_sleeves=tuple(side for side in SIDES if _keeps_old(person, side, ends[side])),
        hem_v=hem_v,
    )


def _keeps_old(person: Person, side: Side, new_end: float) -> bool:
    """Under a bulky sleeve nobody can tell the arm: it stays where the new one is shorter."""
    arm = person.shape.sides[side].arm
    return arm.bulk > _BULKY and arm.sleeve_end > new_end + SLEEVE_SNAP


def _pixel_scale(person: Person, garment: Garment) -> float:
    """Photo pixels for one garment pixel: the chest decides, and long sleeves know the arms."""
    sides, cuts = person.shape.sides, garment.sides
    chest_px = float(np.linalg.norm(sides["right"].pit - sides["left"].pit))
    chest = _EASE * chest_px / float(cuts["right"].pit[0] - cuts["left"].pit[0])
    sleeve = cuts["left"].sleeve
    if sleeve is None:
        return _flank_scale(person, garment)
    if sleeve.length_px < _LONG_BY_TORSO * (garment.hem_y - cuts["left"].neck[1]):
        return chest
    reach = np.mean([sleeve_way(person, s, sides[s].ridge[-6])[0][-1] for s in SIDES])
    arms = float(reach) / float(np.mean([g.sleeve.length_px for g in cuts.values() if g.sleeve]))
    return float(np.sqrt(chest * np.clip(arms, 0.9 * chest, 1.4 * chest)))


def _flank_scale(person: Person, garment: Garment) -> float:
    """Without sleeves the flanks fit."""
    seen = sum(_seen_half_px(person, s, np.linspace(0.45, 0.85, 5)) for s in SIDES)
    rows = garment.sides["left"].flank[2:10], garment.sides["right"].flank[2:10]
    return float(np.median(seen) / np.median(rows[1][:, 0] - rows[0][:, 0]))


def _neck_v(person: Person) -> float:
    """How far the neck's base lies from the shoulder line, in torso lengths (above: negative)."""
    body = person.body
    points = np.stack([person.shape.sides[s].ridge[4] for s in SIDES])
    return float(((points - body.shoulders) @ body.down).mean()) / body.torso_px


def _hem_v(person: Person, garment: Garment, scale: float) -> float:
    """Where the hem falls; close to the old one, on it."""
    neck_y = np.mean([garment.sides[s].neck[1] for s in SIDES])
    natural = _neck_v(person) + (garment.hem_y - neck_y) * scale / person.body.torso_px
    old = person.shape.hem_v
    if garment.category == "dresses":
        return float(max(natural, old))
    if natural < old:
        return float(min(old, natural * _LONGEST_STRETCH))
    return float(old if natural < old + _HEM_SNAP else min(natural, old + 0.5))


def _torso_edge(person: Person, garment: Garment, side: Side, scale: float, hem_v: float) -> Edge:
    body, shape, cut = person.body, person.shape.sides[side], garment.sides[side]
    neck_u = abs(cut.neck[0] - garment.axis_x) * scale / body.scale_px
    neck_u = float(np.clip(neck_u, RIDGE_U[2], RIDGE_U[-8]))
    if abs(neck_u - person.shape.neck_u) < _NECK_SNAP:
        neck_u = person.shape.neck_u
    tip = _tip(person, garment, side, scale, neck_u)
    ridge = _ridge(shape.ridge, neck_u, tip, body)
    pit = (
        _pit(person, garment, side, hem_v)
        if cut.sleeve
        else _armhole_bottom(person, garment, side, hem_v)
    )
    armhole = _similar(cut.armhole, tip, pit)
    return Edge(ridge, armhole, _flank(person, garment, side, pit, scale, hem_v))


def _tip(person: Person, garment: Garment, side: Side, scale: float, neck_u: float) -> Point:
    """The end of the shoulder on the ridge."""
    u = abs(garment.sides[side].tip[0] - garment.axis_x) * scale / person.body.scale_px
    u = float(np.clip(u, neck_u + 0.08, 0.54))
    ridge = person.shape.sides[side].ridge
    return np.array([np.interp(u, RIDGE_U, ridge[:, i]) for i in range(2)])


def _pit(person: Person, garment: Garment, side: Side, hem_v: float) -> Point:
    """The armpit: at the height that keeps the cloth evenly spread, if that is near the body's."""
    body, seen = person.body, person.shape.sides[side].pit
    seen_v = float((seen - body.shoulders) @ body.down) / body.torso_px
    even = _even_v(person, garment, side, hem_v)
    return (
        seen
        + body.down * (float(np.clip(even, seen_v - 0.12, seen_v + 0.15)) - seen_v) * body.torso_px
    )


def _armhole_bottom(person: Person, garment: Garment, side: Side, hem_v: float) -> Point:
    """The lower end of a sleeveless armhole, on the flank."""
    body = person.body
    v = float(np.clip(_even_v(person, garment, side, hem_v), 0.2, 0.6))
    half = float(_seen_half_px(person, side, v))
    return body.at(0, v) + body.across * sign(side) * half


def _even_v(person: Person, garment: Garment, side: Side, hem_v: float) -> float:
    """Where the armpit falls when cloth is spread evenly from the neckline to the hem."""
    share = (garment.sides[side].pit[1] - garment.neck_y) / (garment.hem_y - garment.neck_y)
    return person.shape.neck_v + (hem_v - person.shape.neck_v) * share


def _seen_half_px(
    person: Person, side: Side, v: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """The flank's half width; near the arm it is the chest's, not the arm's."""
    shape = person.shape.sides[side]
    body = person.body
    pit_v = float((shape.pit - body.shoulders) @ body.down) / body.torso_px
    pit_half = float((shape.pit - body.shoulders) @ body.across) * sign(side)
    clear = pit_v + _ARM_SHADOW
    begin = float(np.interp(clear, FLANK_V, shape.flank_px))
    chest = np.interp(FLANK_V, (pit_v, clear), (pit_half, begin))
    seen = np.where(clear > FLANK_V, np.minimum(chest, shape.flank_px), shape.flank_px)
    return np.interp(v, FLANK_V, np.where(pit_v > FLANK_V, chest, seen))


def _ridge(line: Polyline, neck_u: float, tip: Point, body: Body) -> Polyline:
    """The seen ridge from the neck to the tip, eight points."""
    tip_u = abs(float((tip - body.shoulders) @ body.across)) / body.scale_px
    at = np.linspace(neck_u, max(neck_u + 0.05, tip_u), 8)
    points = np.stack([np.interp(at, RIDGE_U, line[:, i]) for i in range(2)], -1)
    blend = np.linspace(0, 1, 8)[:, None] ** 2
    return points + (tip - points[-1]) * blend


def _similar(line: Polyline, start: Point, end: Point) -> Polyline:
    """A polyline moved, turned and sized so that its ends meet two points."""
    z = line[:, 0] + 1j * line[:, 1]
    a, b = complex(*start), complex(*end)
    w = a + (z - z[0]) * (b - a) / (z[-1] - z[0] + 1e-9)
    return np.stack([w.real, w.imag], -1)


def _flank(
    person: Person, garment: Garment, side: Side, pit: Point, scale: float, hem_v: float
) -> Polyline:
    """From the armpit to the hem: the seen outline, unless the garment is clearly wider."""
    body, cut = person.body, garment.sides[side]
    pit_v = float((pit - body.shoulders) @ body.down) / body.torso_px
    t = (cut.flank[:, 1] - cut.flank[0, 1]) / (garment.hem_y - cut.flank[0, 1])
    v = pit_v + (hem_v - pit_v) * t
    seen = _seen_half_px(person, side, v)
    natural = np.abs(cut.flank[:, 0] - garment.axis_x) * scale
    ratio = natural / seen
    snug = np.where(ratio > _SNUG[1], np.minimum(ratio, _WIDEST), 1.0)
    snug = np.where(ratio < _SNUG[0], np.maximum(ratio / _SNUG[0], _SLIM), snug)
    if garment.category == "dresses":  # a skirt hangs by its own cut
        snug = np.where(v > 1.0, np.clip(ratio, 0.9, 3.0), snug)
    snug[0] = 1.0
    half = seen * smooth(snug, 1.0)
    points = np.stack([body.at(0, row) for row in v])
    points += body.across * sign(side) * half[:, None]
    points[0] = pit
    return points


def _torso_chart(
    person: Person, garment: Garment, edges: dict[Side, Edge], scale: float, hem_v: float
) -> Chart:
    body = person.body
    source, target = [], []
    for side in SIDES:
        cut, edge = garment.sides[side], edges[side]
        source += [cut.ridge, cut.armhole[1:-1], cut.flank]
        target += [edge.ridge, edge.armhole[1:-1], edge.flank]
    left, right = edges["left"], edges["right"]
    rows_s, rows_t = _middle(person, garment, edges, hem_v, scale)
    source.append(rows_s)
    target.append(rows_t)
    below = body.down * 0.25 * body.torso_px
    up = -body.down * 0.35 * body.scale_px
    lap = {s: body.across * sign(s) * _SEAM_LAP * body.scale_px for s in SIDES}
    lapped = {s: edges[s].line(lap[s] * bool(garment.sides[s].sleeve)) for s in SIDES}
    outline = np.concatenate(
        [
            lapped["left"],
            [left.flank[-1] + below, right.flank[-1] + below],
            lapped["right"][::-1],
            [right.ridge[0] + up, left.ridge[0] + up],
        ]
    )
    return Chart(np.concatenate(source), np.concatenate(target), outline)


def _middle(
    person: Person, garment: Garment, edges: dict[Side, Edge], hem_v: float, scale: float
) -> tuple[Polyline, Polyline]:
    """The middle line, evenly spread from the neckline to the hem, half way between the flanks."""
    body = person.body
    left, right = edges["left"], edges["right"]
    neck_v = _neckline_v(person, garment, (left.ridge[0] + right.ridge[0]) / 2, scale)
    t = np.linspace(0, 1, 6)
    rows = garment.neck_y + (garment.hem_y - garment.neck_y) * t
    source = np.stack([np.full(len(t), garment.axis_x), rows], -1)
    v = neck_v + (hem_v - neck_v) * t
    flanks = (left.flank + right.flank) / 2 - body.shoulders
    aside = np.interp(v * body.torso_px, flanks @ body.down, flanks @ body.across)
    target = np.stack([body.at(0, row) for row in v]) + body.across * aside[:, None]
    return source, target


def _neckline_v(person: Person, garment: Garment, neck: Point, scale: float) -> float:
    """The neckline's lowest point, torso lengths below the shoulders; near the old one, on it."""
    body = person.body
    cut_neck = (garment.sides["left"].neck[1] + garment.sides["right"].neck[1]) / 2
    base = float((neck - body.shoulders) @ body.down)
    natural = (base + (garment.neck_y - cut_neck) * scale) / body.torso_px
    snap = _NECK_SNAP * body.scale_px / body.torso_px
    return person.shape.neck_v if abs(natural - person.shape.neck_v) < snap else natural
