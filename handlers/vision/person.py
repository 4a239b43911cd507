"""Understands the photo of a person: who stands how, wears what where, and what lies in front."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.body import SIDES, Body, Side, body_from_pose, capsules, polygon
from handlers.vision.fill import filled
from handlers.vision.legs import Legs, measure_legs
from handlers.vision.parsing import BACKGROUND, HAIR, LOWER, SKIN, UPPER, parse, refine
from handlers.vision.shape import FLANK_V, Shape, measure, sign

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.float32]

_PARSE_HEIGHT_PX: Final = 320
_FILL_SHRINK: Final = 4


@dataclass(frozen=True, slots=True)
class Person:
    """One person in one photo of H x W pixels.

    rgb: (H, W, 3) uint8. Masks are (H, W) float32, 0..1: background, hair, skin, upper and lower
    clothes (they sum to 1), head (hair and face, what lies above any collar), hands. behind:
    (H, W, 3) uint8, the scene with the person taken out.
    """

    rgb: NDArray[np.uint8]
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

    @property
    def nbytes(self) -> int:
        """What the arrays occupy, in bytes."""
        arrays = [getattr(self, f.name) for f in fields(self)] + list(self.hands.values())
        return sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))


def analyse(rgb: NDArray[np.uint8], pose: NDArray[np.float32], person_mask: Mask) -> Person:
    """Analyses one photo.

    rgb: (H, W, 3) uint8; pose: (33, 4) float32 in its pixels (BlazePose); person_mask: (H, W)
    float32, 0..1.
    """
    height, width = rgb.shape[:2]
    zoom = min(1.0, _PARSE_HEIGHT_PX / max(height, width))
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    small_pose = pose * np.array([zoom, zoom, zoom, 1], np.float32)
    parsing = parse(
        cv2.resize(rgb, size, interpolation=cv2.INTER_AREA),
        body_from_pose(small_pose),
        cv2.resize(person_mask, size, interpolation=cv2.INTER_AREA),
    )
    parts = refine(rgb, parsing)
    body = body_from_pose(pose)
    shape = measure(body, parts)
    _settle_hem(body, shape, parts)
    known = cv2.dilate(1 - parts[BACKGROUND], np.ones((9, 9))) < 0.05
    return Person(
        rgb=rgb,
        body=body,
        shape=shape,
        legs=measure_legs(body, parts.argmax(0).astype(np.uint8)),
        background=parts[BACKGROUND],
        hair=parts[HAIR],
        skin=parts[SKIN],
        upper=parts[UPPER],
        lower=parts[LOWER],
        head=_head(body, parts),
        hands={side: _hand(body, side, parts) for side in SIDES},
        behind=filled(rgb, known.astype(np.float32), _FILL_SHRINK),
    )


def _settle_hem(body: Body, shape: Shape, parts: NDArray[np.float32]) -> None:
    """Gives stray patches of upper clothes below the hem, or loose ones, back to what they are."""
    solid = cv2.morphologyEx((parts[UPPER] > 0.3).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3)))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    largest = stats[1:, cv2.CC_STAT_AREA].max() if len(stats) > 1 else 0
    stray = np.isin(labels, np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < 0.04 * largest))
    rows = FLANK_V > shape.hem_v + 0.03
    edges = [
        np.stack([body.at(0, v) for v in FLANK_V[rows]])
        + body.across * sign(side) * shape.sides[side].flank_px[rows][:, None] * 1.04
        for side in SIDES
    ]
    if rows.sum() > 1:
        stray |= polygon(labels.shape, np.concatenate([edges[0], edges[1][::-1]]))
    for kind in (LOWER, SKIN):
        better = stray & (parts[kind] >= parts[LOWER + SKIN - kind])
        parts[kind][better] += parts[UPPER][better]
        parts[UPPER][better] = 0


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
