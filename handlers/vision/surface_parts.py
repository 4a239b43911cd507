"""DensePose's 24 body parts, drawn from joints inside a person's outline: an approximation.

It says where torso, limbs and head are and which side is whose. It knows no twist of a limb: the
half of an arm that faces the torso is called its inside. Clothes wider than a body are left out
as far as usual girths tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from handlers.vision.body import SIDES, capsules, polygon
from handlers.vision.lines import sign

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.body import Body, Point, Side
    from handlers.vision.person import Person

    Parts = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

# DensePose's numbers (its COCO annotations); the person's right is the left of the picture.
_FRONT_OF_TORSO: Final = 2
_HAND: Final[dict[Side, int]] = {"left": 3, "right": 4}
_FOOT: Final[dict[Side, int]] = {"left": 6, "right": 5}
_UPPER_LEG: Final[dict[Side, int]] = {"left": 9, "right": 10}
_LOWER_LEG: Final[dict[Side, int]] = {"left": 13, "right": 14}
# Of arms: the inside and the outside.
_UPPER_ARM: Final[dict[Side, tuple[int, int]]] = {"left": (16, 18), "right": (15, 17)}
_LOWER_ARM: Final[dict[Side, tuple[int, int]]] = {"left": (20, 22), "right": (19, 21)}
_HEAD: Final[dict[Side, int]] = {"left": 23, "right": 24}

# Half girths in shoulder widths.
_SHOULDER_GIRTH, _ELBOW_GIRTH, _WRIST_GIRTH, _HAND_GIRTH = 0.17, 0.13, 0.09, 0.12
_HIP_GIRTH, _KNEE_GIRTH, _ANKLE_GIRTH, _FOOT_GIRTH = 0.28, 0.17, 0.11, 0.13
_WAIST_U, _HIPS_U, _NECK_U = 0.42, 0.46, 0.17


def surface_parts(person: Person) -> Parts:
    """Part numbers 1..24 of a person seen from the front, 0 elsewhere: (H, W) uint8."""
    body = person.body
    seen = person.background < 0.5
    parts = np.zeros(seen.shape, np.uint8)
    for side in SIDES:
        _paint_leg(parts, seen, body, side)
    parts[_torso(seen.shape, body) & seen] = _FRONT_OF_TORSO
    _paint_head(parts, person)
    for side in SIDES:
        _paint_arm(parts, seen, person, side)
    return parts


def _paint_leg(parts: Parts, seen: Mask, body: Body, side: Side) -> None:
    s = body.scale_px
    hip, knee, ankle = body.leg(side)
    heel, toes = body.joint(side, "heel"), body.joint(side, "toes")
    upper = capsules(parts.shape, [hip, knee], [_HIP_GIRTH * s, _KNEE_GIRTH * s])
    lower = capsules(parts.shape, [knee, ankle], [_KNEE_GIRTH * s, _ANKLE_GIRTH * s])
    foot = capsules(parts.shape, [ankle, heel, toes, ankle], [_FOOT_GIRTH * s] * 4)
    upper &= ~_beyond(parts.shape, knee, knee - hip)
    upper &= _beyond(parts.shape, body.hips, body.across * sign(side))
    parts[upper & seen] = _UPPER_LEG[side]
    parts[lower & _beyond(parts.shape, knee, ankle - knee) & seen] = _LOWER_LEG[side]
    parts[foot & _beyond(parts.shape, ankle, ankle - knee) & seen] = _FOOT[side]


def _paint_arm(parts: Parts, seen: Mask, person: Person, side: Side) -> None:
    body = person.body
    s = body.scale_px
    shoulder, elbow, wrist = body.arm(side)
    tips = body.fingertips(side)
    upper = capsules(parts.shape, [shoulder, elbow], [_SHOULDER_GIRTH * s, _ELBOW_GIRTH * s])
    lower = capsules(parts.shape, [elbow, wrist], [_ELBOW_GIRTH * s, _WRIST_GIRTH * s])
    hand = capsules(parts.shape, [wrist, tips], [_WRIST_GIRTH * s, _HAND_GIRTH * s])
    hand |= person.hands[side] > 0.5
    hand &= _beyond(parts.shape, wrist, wrist - elbow)
    bones = ((upper, shoulder, elbow, _UPPER_ARM), (lower, elbow, wrist, _LOWER_ARM))
    for mask, start, end, (inside, outside) in ((m, a, b, n[side]) for m, a, b, n in bones):
        outward = np.array([-(end - start)[1], (end - start)[0]]) * -sign(side)
        outer = _beyond(parts.shape, start, outward)
        parts[mask & seen & ~outer] = inside
        parts[mask & seen & outer] = outside
    parts[hand & seen] = _HAND[side]


def _paint_head(parts: Parts, person: Person) -> None:
    """Face and skull in halves; hair that falls beside the neck is none of it."""
    body = person.body
    up = body.eyes() - body.mouth()
    across = np.array([-up[1], up[0]])
    size = max(float(np.linalg.norm(up)), 0.8 * body.eye_distance_px())
    line = [body.eyes() + up * 1.0, body.eyes(), body.chin()]
    skull = capsules(parts.shape, line, [2.0 * size, 2.0 * size, 0.9 * size])
    head = skull & (person.background < 0.5) & (person.head > 0.5)
    right = _beyond(parts.shape, body.eyes(), across)
    parts[head & ~right] = _HEAD["left"]
    parts[head & right] = _HEAD["right"]


def _torso(shape: tuple[int, ...], body: Body) -> Mask:
    """Neck, shoulders, waist and hips, down to where the legs part: (H, W) bool."""
    neck = [body.chin() + body.across * (u * body.scale_px) for u in (-_NECK_U, _NECK_U)]
    shoulders = [body.joint(s, "shoulder") for s in ("right", "left")]
    right, left = [
        [
            body.at(u * way, v)
            for u, v in ((0.5, 0.05), (0.47, 0.35), (_WAIST_U, 0.7), (_HIPS_U, 1.0), (0.3, 1.08))
        ]
        for way in (1, -1)
    ]
    ridge = [body.at(u, -0.16) for u in (0.2, -0.2)]
    outline = [neck[1], ridge[0], shoulders[0], *right, body.at(0, 1.18)]
    outline += [*left[::-1], shoulders[1], ridge[1], neck[0]]
    return polygon(shape, outline)


def _beyond(shape: tuple[int, ...], start: Point, direction: Point) -> Mask:
    """The half of the frame that lies ahead of a point: (H, W) bool."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    return (x - start[0]) * direction[0] + (y - start[1]) * direction[1] > 0
