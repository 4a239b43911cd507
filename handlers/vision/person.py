"""Understands the photo of a person: who stands how, wears what where, and what lies in front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.arms import ARM_STATIONS
from handlers.vision.body import SIDES, Body, Side, body_from_pose, capsules, polygon
from handlers.vision.fill import filled
from handlers.vision.framing import standing
from handlers.vision.legs import Legs, measure_legs
from handlers.vision.lines import sign
from handlers.vision.parsing import BACKGROUND, HAIR, LOWER, SKIN, UPPER, labelled, parse, refine
from handlers.vision.shape import FLANK_V, Shape, measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.detection import Detection

    Mask = NDArray[np.float32]

_PARSE_HEIGHT_PX: Final = 320
_FILL_SHRINK: Final = 4
_RING: Final = 0.05  # shoulder widths around a person that are no safe witness of the scene
_NOT_SCENE: Final = 70  # largest difference of a channel, 0..255
_CALM: Final = 12
_MOSTLY_BARE: Final = 0.6
_PERHAPS: Final = 0.05
_THIN: Final = 0.012  # shoulder widths; cloth seen this thin is a mixed edge


@dataclass(frozen=True, slots=True)
class Person:
    """One person in one photo of H x W pixels.

    rgb: (H, W, 3) uint8. people: how many were seen in it. Masks are (H, W) float32, 0..1:
    background, hair, skin, upper and lower clothes (they sum to 1), head (hair and face, what
    lies above any collar), hands. behind: (H, W, 3) uint8, the scene with the person taken out.
    """

    rgb: NDArray[np.uint8]
    people: int
    body: Body
    shape: Shape
    legs: Legs
    background: Mask
    hair: Mask
    skin: Mask
    upper: Mask
    lower: Mask
    head: Mask
    hands: dict[Side, Mask]
    behind: NDArray[np.uint8]


def analyse(rgb: NDArray[np.uint8], detection: Detection) -> Person:
    """Analyses one photo; rgb: (H, W, 3) uint8. Raises Unfit where nobody can be dressed."""
    pose = standing(detection.pose, rgb.shape[:2])
    height, width = rgb.shape[:2]
    zoom = min(1.0, _PARSE_HEIGHT_PX / max(height, width))
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    small_pose = pose * np.array([zoom, zoom, zoom, 1], np.float32)
    parsing = parse(
        cv2.resize(rgb, size, interpolation=cv2.INTER_AREA),
        body_from_pose(small_pose),
        cv2.resize(detection.person_mask, size, interpolation=cv2.INTER_AREA),
    )
    parts = refine(rgb, parsing)
    body = body_from_pose(pose)
    shape = measure(body, labelled(parts))
    _settle_hem(body, shape, parts)
    _settle_arms(shape, parts)
    behind = _behind(rgb, body, parts)
    _reclaim_cloth(rgb, body, parts, behind)
    return Person(
        rgb=rgb,
        people=detection.people,
        body=body,
        shape=shape,
        legs=measure_legs(body, labelled(parts)),
        background=parts[BACKGROUND],
        hair=parts[HAIR],
        skin=parts[SKIN],
        upper=parts[UPPER],
        lower=parts[LOWER],
        head=_head(body, parts),
        hands={side: _hand(body, side, parts) for side in SIDES},
        behind=behind,
    )


def _behind(rgb: NDArray[np.uint8], body: Body, parts: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The scene continued behind the person: (H, W, 3) uint8."""
    ring = 2 * max(4, int(_RING * body.scale_px)) + 1
    known = cv2.dilate(1 - parts[BACKGROUND], np.ones((ring, ring))) < 0.05
    return filled(rgb, known.astype(np.float32), _FILL_SHRINK)


def _reclaim_cloth(
    rgb: NDArray[np.uint8], body: Body, parts: NDArray[np.float32], behind: NDArray[np.uint8]
) -> None:
    """Beside the upper garment, what differs from a calm scene is a corner of cloth."""
    ring = 2 * max(4, int(_RING * body.scale_px)) + 1
    near = cv2.dilate(parts[UPPER], np.ones((ring, ring))) > 0.5
    off = np.abs(rgb.astype(np.int16) - behind).max(-1)
    far = parts[BACKGROUND] > 0.99
    stray = near & (parts[BACKGROUND] > 0.5) & (off > _NOT_SCENE)
    if stray.sum() > 0.3 * (near & far).sum() or np.percentile(off[near & far], 75) > _CALM:
        return
    parts[UPPER][stray] += parts[BACKGROUND][stray]
    parts[BACKGROUND][stray] = 0


def _settle_hem(body: Body, shape: Shape, parts: NDArray[np.float32]) -> None:
    """Gives stray patches of upper clothes below the hem, or loose ones, back to what they are."""
    thin = 2 * max(1, int(_THIN * body.scale_px)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thin, thin))
    solid = cv2.morphologyEx((parts[UPPER] > 0.3).astype(np.uint8), cv2.MORPH_OPEN, kernel)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    largest = stats[1:, cv2.CC_STAT_AREA].max() if len(stats) > 1 else 0
    stray = np.isin(labels, np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < 0.04 * largest))
    stray |= cv2.dilate(solid, np.ones((5, 5), np.uint8)) == 0
    rows = shape.hem_v + 0.03 < FLANK_V
    edges = [
        np.stack([body.at(0, v) for v in FLANK_V[rows]])
        + body.across * sign(side) * shape.sides[side].flank_px[rows][:, None] * 1.04
        for side in SIDES
    ]
    if rows.sum() > 1:
        stray |= polygon(labels.shape, np.concatenate([edges[0], edges[1][::-1]]))
    ys, xs = np.nonzero(stray & (parts[UPPER] > 0))
    here = parts[:, ys, xs]
    rest = here.copy()
    rest[UPPER] = -1
    best = rest.argmax(0)
    moved = np.flatnonzero(rest.max(0) > _PERHAPS)
    here[best[moved], moved] += here[UPPER, moved]
    here[UPPER, moved] = 0
    parts[:, ys, xs] = here


def _settle_arms(shape: Shape, parts: NDArray[np.float32]) -> None:
    """Beyond the end of the sleeve an arm is bare, whatever its colour says."""
    stations = np.linspace(0, 1, ARM_STATIONS)
    for side in SIDES:
        arm = shape.sides[side].arm
        free = stations > arm.sleeve_end + 0.12
        if free.sum() < 2 or arm.sleeve_end > 0.9:
            continue
        outer = (arm.axis + arm.outward * arm.outer[:, None] * 1.1)[free]
        inner = (arm.axis - arm.outward * arm.inner[:, None] * 0.8)[free]
        bare = polygon(parts.shape[1:], np.concatenate([outer, inner[::-1]]))
        bare &= (parts[SKIN] + parts[UPPER] > 0.5) & (parts[SKIN] > _PERHAPS)
        share = parts[SKIN][bare].sum() / max(float((parts[SKIN] + parts[UPPER])[bare].sum()), 1.0)
        if share < _MOSTLY_BARE:
            continue  # the arm lies before the torso
        parts[SKIN][bare] += parts[UPPER][bare]
        parts[UPPER][bare] = 0


def _head(body: Body, parts: NDArray[np.float32]) -> Mask:
    """Hair everywhere and the face down to the chin: (H, W) float32."""
    shape = parts.shape[1:]
    down = body.mouth() - body.eyes()
    length = max(float(np.linalg.norm(down)), 0.8 * body.eye_distance_px())
    line = [body.eyes() - down * 2.2, body.eyes(), body.chin() - down * 0.42]
    face = capsules(shape, np.array(line), [1.5 * length, 1.75 * length, 0.62 * length])
    skull = np.where(face, 1 - parts[BACKGROUND] - parts[UPPER], 0)
    return np.clip(np.maximum(parts[HAIR], skull), 0, 1).astype(np.float32)


def _hand(body: Body, side: Side, parts: NDArray[np.float32]) -> Mask:
    """The bare hand beyond the wrist: (H, W) float32."""
    wrist, tips = body.joint(side, "wrist"), body.fingertips(side)
    length = float(np.linalg.norm(tips - wrist)) + 1e-6
    reach = 0.55 * length + 0.06 * body.scale_px
    middle = wrist * 0.45 + tips * 0.55
    region = capsules(parts.shape[1:], np.array([wrist, middle, tips]), [reach * 0.8, reach, reach])
    y, x = np.mgrid[0 : region.shape[0], 0 : region.shape[1]].astype(np.float32)
    along = ((x - wrist[0]) * (tips - wrist)[0] + (y - wrist[1]) * (tips - wrist)[1]) / length
    return (region * parts[SKIN] * np.clip(along - 0.05 * length, 0, 1)).astype(np.float32)
