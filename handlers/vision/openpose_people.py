"""People from OpenPose's joints and limbs (Cao et al. 2017, section 2.4), and the largest of them.

Limbs are taken one kind after the other; a limb joins the person that already has one of its ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from handlers.vision.openpose_fields import JOINTS, LIMBS, joints, limbs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from handlers.vision.openpose_frame import Frame

_STARTING_LIMBS: Final = 17  # the others only confirm
_MIN_JOINTS: Final = 4
_MIN_MEAN_SCORE: Final = 0.4
_MISSING: Final = -1


@dataclass(frozen=True, slots=True)
class Bodies:
    """candidates: (N, 4) float64 of x, y, score and number; people: (P, 20) float64.

    A person's row holds 18 numbers of candidates (-1 = missing), the sum of the scores of joints
    and limbs, and the count of joints.
    """

    candidates: NDArray[np.float64]
    people: NDArray[np.float64]


@dataclass(slots=True)
class _Person:
    score: float = 0.0
    count: int = 0
    joints: NDArray[np.int64] = field(default_factory=lambda: np.full(JOINTS, _MISSING))

    def add(self, joint: int, candidate: int, score: float) -> None:
        """Takes a candidate as a joint, in the place of an earlier one if need be."""
        self.joints[joint] = candidate
        self.count += 1
        self.score += score

    def overlaps(self, other: _Person) -> bool:
        return bool(((self.joints != _MISSING) & (other.joints != _MISSING)).any())

    def take_over(self, other: _Person, limb_score: float) -> None:
        """Becomes one with a person that has none of the same joints."""
        self.joints = np.maximum(self.joints, other.joints)
        self.count += other.count
        self.score += other.score + limb_score

    def row(self) -> NDArray[np.float64]:
        return np.array([*self.joints, self.score, self.count], np.float64)


def decode(heat: NDArray[Any], affinity: NDArray[Any], frame: Frame) -> Bodies:
    """Reads a network's output, heat (18 or 19, h, w) and affinity (38, h, w), in frame pixels."""
    maps = frame.fitted(heat[:JOINTS])
    found = [joints(one) for one in maps]
    ends = np.cumsum([0, *(len(one) for one in found)])
    stacked = np.concatenate(found)
    candidates = np.column_stack([stacked, np.arange(len(stacked))])
    fields = frame.fitted(affinity)
    people: list[_Person] = []
    for kind, limb in enumerate(LIMBS):
        first, second = found[limb.first], found[limb.second]
        for a, b, score in limbs(fields[limb.channel : limb.channel + 2], first, second):
            pair = (int(ends[limb.first]) + a, int(ends[limb.second]) + b)
            _join(people, kind, pair, score, candidates[:, 2])
    rows = [
        one.row()
        for one in people
        if one.count >= _MIN_JOINTS and one.score / one.count >= _MIN_MEAN_SCORE
    ]
    return Bodies(candidates, np.array(rows).reshape(-1, JOINTS + 2))


def _join(
    people: list[_Person],
    kind: int,
    pair: tuple[int, int],
    score: float,
    heats: NDArray[np.float64],
) -> None:
    """Gives one limb to whom it belongs."""
    limb, (a, b) = LIMBS[kind], pair
    gain = float(heats[b]) + score
    holders = [one for one in people if one.joints[limb.first] == a or one.joints[limb.second] == b]
    match holders[:2]:
        case [one, other] if not one.overlaps(other):
            one.take_over(other, score)
            people[:] = [person for person in people if person is not other]
        case [one, _]:
            one.add(limb.second, b, gain)
        case [one] if one.joints[limb.second] != b:
            one.add(limb.second, b, gain)
        case [] if kind < _STARTING_LIMBS:
            started = _Person()
            started.add(limb.first, a, float(heats[a]))
            started.add(limb.second, b, gain)
            people.append(started)


def largest(bodies: Bodies) -> NDArray[np.float32]:
    """The person of the largest extent: (18, 3) of x, y, score; (0, 0, 0) = missing.

    All are missing where nobody is.
    """
    everybody = [keypoints(bodies, index) for index in range(len(bodies.people))]
    return max(everybody, key=_extent_px, default=np.zeros((JOINTS, 3), np.float32))


def keypoints(bodies: Bodies, index: int) -> NDArray[np.float32]:
    """One person's (18, 3) of x, y, score; (0, 0, 0) = missing."""
    numbers = bodies.people[index, :JOINTS].astype(int)
    points = bodies.candidates[numbers, :3].astype(np.float32)
    points[numbers == _MISSING] = 0
    return points


def _extent_px(points: NDArray[np.float32]) -> float:
    seen = points[points[:, 2] > 0, :2]
    return float(np.prod(np.ptp(seen, axis=0)))
