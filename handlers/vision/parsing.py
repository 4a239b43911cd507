"""Which pixel is hair, skin, upper or lower clothes, background: colour and pose agree on it.

Every class starts from a place the pose makes likely and learns its own colours there, as a
smoothed histogram; both are multiplied and learned again a few times (hard EM over a spatial
prior, as in interactive segmentation, but with the pose in the user's place).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from handlers.vision.body import SIDES, Body, capsules, polygon

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.float32]

BACKGROUND, HAIR, SKIN, UPPER, LOWER = range(5)
CLASSES: Final = 5
_ROUNDS: Final = 4
_BINS: Final = (12, 20, 20)  # lightness, a, b
_UNSEEN: Final = 5e-6  # density of a colour the class has never shown
_CERTAIN: Final = 0.985
_COLOUR_POWER: Final = 0.75  # below 1: neighbouring pixels are no independent witnesses


@dataclass(frozen=True, slots=True)
class Parsing:
    """Class probabilities and the colours they were learned from.

    probabilities: (5, H, W) float32, summing to 1 over the classes; densities: (5, cells) float32.
    """

    probabilities: NDArray[np.float32]
    densities: NDArray[np.float32]


def parse(rgb: NDArray[np.uint8], body: Body, person_mask: Mask) -> Parsing:
    """Parses a small picture, about 320 px high.

    rgb: (H, W, 3) uint8; body in its pixels; person_mask: (H, W) float32, 0..1.
    """
    shape = rgb.shape[:2]
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    cells = _cells(lab)
    prior = spatial_prior(shape, body, person_mask)
    prior[SKIN] *= _like_face(lab, _face(shape, body))
    posterior = _normalised(prior * _seeds(shape, body, person_mask))
    for _ in range(_ROUNDS):
        densities = np.stack([_density(cells, weight) for weight in posterior])
        posterior = _normalised(prior * densities[:, cells] ** _COLOUR_POWER)
        posterior = np.stack([cv2.GaussianBlur(p, (0, 0), 1.0) for p in posterior])
    return Parsing(posterior.astype(np.float32), densities)


def refine(rgb: NDArray[np.uint8], parsing: Parsing) -> NDArray[np.float32]:
    """Brings a parsing to the full size of its picture by looking at the colours along borders.

    rgb: (H, W, 3) uint8. Returns (5, H, W) float32.
    """
    height, width = rgb.shape[:2]
    grow = max(1.0, height / parsing.probabilities.shape[1])
    full = np.empty((CLASSES, height, width), np.float32)
    for low, part in zip(parsing.probabilities, full, strict=True):
        small = cv2.GaussianBlur(low, (0, 0), 0.8)
        cv2.resize(small, (width, height), dst=part, interpolation=cv2.INTER_LINEAR)
    ys, xs = np.nonzero(full.max(0) < _CERTAIN)
    lab = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 0.25 * grow), cv2.COLOR_RGB2LAB)
    cells = _cells(lab[ys, xs][None])[0]
    full[:, ys, xs] = _normalised(full[:, ys, xs] * parsing.densities[:, cells] ** _COLOUR_POWER)
    for part in full:
        cv2.GaussianBlur(part, (0, 0), 0.3 * grow, dst=part)
    np.square(full, out=full)
    np.square(full, out=full)  # sharper odds: a pixel is mixed at an edge only
    full /= full.sum(0)
    return full


def labelled(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The likeliest class of each pixel: (5, H, W) float32 to (H, W) uint8."""
    best = probabilities[0].copy()
    labels = np.zeros(best.shape, np.uint8)
    for kind in range(1, len(probabilities)):
        labels[probabilities[kind] > best] = kind
        np.maximum(best, probabilities[kind], out=best)
    return labels


def _normalised(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    return weights / (weights.sum(0, keepdims=True) + 1e-12)


def _like_face(lab: NDArray[np.uint8], face: NDArray[np.bool_]) -> Mask:
    """Skin elsewhere has the face's hue and is seldom half as dark: (H, W) float32, 0.02..1."""
    if not face.any():
        return np.ones(face.shape, np.float32)
    light, a, b = np.median(lab[face], 0)
    hue = np.hypot(lab[..., 1] - a, lab[..., 2] - b)
    close = np.exp(-0.5 * (np.maximum(0, hue - 12) / 8) ** 2)
    bright = _soft((lab[..., 0] - 0.42 * light).astype(np.float32), 6.0)
    return np.maximum(close * bright, 0.02).astype(np.float32)


def _cells(lab: NDArray[np.uint8]) -> NDArray[np.intp]:
    """The histogram cell of every pixel: (H, W). Chroma is stretched; few pictures use it all."""
    chroma = np.clip((lab[..., 1:].astype(np.int32) - 128) * 2 + 128, 0, 255)
    low, a, b = lab[..., 0].astype(np.int32) * _BINS[0] // 256, chroma[..., 0], chroma[..., 1]
    return (low * _BINS[1] + a * _BINS[1] // 256) * _BINS[2] + b * _BINS[2] // 256


def _density(cells: NDArray[np.intp], weight: Mask) -> NDArray[np.float32]:
    """The colours of a class with these pixel weights: a smoothed histogram, (cells,)."""
    count = np.bincount(cells.ravel(), weight.ravel(), int(np.prod(_BINS))).reshape(_BINS)
    for axis in range(3):
        rolled = (np.roll(count, 1, axis) + np.roll(count, -1, axis)) * 0.25
        count = count * 0.5 + rolled
    return (count.ravel() / (count.sum() + 1e-6) + _UNSEEN).astype(np.float32)


def _seeds(shape: tuple[int, ...], body: Body, person_mask: Mask) -> NDArray[np.float32]:
    """Where each class may learn its first colours: (5, H, W)."""
    seeds = np.full((CLASSES, *shape), 0.02, np.float32)
    arms, _ = _arms(shape, body)  # flared sleeves often lie outside the mask
    seeds[BACKGROUND][(person_mask < 0.1) & (arms < 0.05)] = 1
    seeds[SKIN][_face(shape, body)] = 1
    core = polygon(
        shape, [body.at(-0.36, 0.2), body.at(0.36, 0.2), body.at(0.3, 0.75), body.at(-0.3, 0.75)]
    )
    seeds[UPPER][core] = 1
    for side in SIDES:
        hip, knee, _ = body.leg(side)
        reach = 0.1 * body.scale_px
        thigh = capsules(
            shape, np.array([hip * 0.8 + knee * 0.2, hip * 0.4 + knee * 0.6]), [reach, reach]
        )
        seeds[LOWER][thigh] = 1
    seeds[HAIR][_crown(shape, body)] = 1
    return seeds


def _face(shape: tuple[int, ...], body: Body) -> NDArray[np.bool_]:
    """Cheeks, nose and mouth: (H, W) bool."""
    down = (body.mouth() - body.eyes()) * 0.25
    corners = [
        body.joints["left_eye"],
        body.joints["right_eye"],
        body.joints["right_mouth"] + down,
        body.joints["left_mouth"] + down,
    ]
    return polygon(shape, corners)


def _crown(shape: tuple[int, ...], body: Body) -> NDArray[np.bool_]:
    """The band above the forehead where hair is, if there is any: (H, W) bool."""
    up = body.eyes() - body.mouth()
    across = np.array([-up[1], up[0]])
    top, low = body.eyes() + up * 1.75, body.eyes() + up * 1.1
    return polygon(
        shape, [low - across * 0.9, low + across * 0.9, top + across * 0.7, top - across * 0.7]
    )


def spatial_prior(shape: tuple[int, ...], body: Body, person_mask: Mask) -> NDArray[np.float32]:
    """How likely the pose makes each class at each pixel, before any colour: (5, H, W)."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    u = (
        (x - body.shoulders[0]) * body.across[0] + (y - body.shoulders[1]) * body.across[1]
    ) / body.scale_px
    v = (
        (x - body.shoulders[0]) * body.down[0] + (y - body.shoulders[1]) * body.down[1]
    ) / body.torso_px
    person = np.clip(person_mask, 0.15, 0.995) ** 2
    prior = np.empty((CLASSES, *shape), np.float32)
    prior[BACKGROUND] = 1 - person
    arms, hands = _arms(shape, body)
    head = _head(x, y, body)
    torso = _soft(0.62 - np.abs(u), 0.05) * _soft(v + 0.22, 0.03) * _soft(1.12 - v, 0.08)
    below_chin = _chin_line(x, y, body)
    prior[UPPER] = person * np.maximum(torso, 0.7 * arms) * (1 - 0.98 * head * (1 - below_chin))
    prior[UPPER] *= 1 - 0.6 * hands
    waist = np.maximum(
        _soft(v - 0.93, 0.05), 0.3 * _soft(v - 0.7, 0.03) * _soft(0.5 - np.abs(u), 0.05)
    )
    prior[LOWER] = person * waist * (1 - 0.9 * hands)
    prior[SKIN] = person * np.maximum.reduce(
        [
            0.35 * arms,
            0.5 * head,
            0.8 * hands,
            0.12 * torso,
            0.6 * _soft(v - 1.25, 0.1),
            np.float32(0.02) + 0 * u,
            0.5 * _neck(shape, body),
        ]
    )
    prior[HAIR] = person * _hair(x, y, body)
    return prior + 1e-6


def _soft(distance: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """A step at zero, as wide as told."""
    return (1 / (1 + np.exp(-np.clip(distance / width, -30, 30)))).astype(np.float32)


def _blurred(mask: NDArray[np.bool_], sigma_px: float) -> Mask:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(0.6, sigma_px))


def _arms(shape: tuple[int, ...], body: Body) -> tuple[Mask, Mask]:
    """Arms to the wrist, and hands: two (H, W) float32."""
    arms, hands = np.zeros(shape, bool), np.zeros(shape, bool)
    s = body.scale_px
    for side in SIDES:
        shoulder, elbow, wrist = body.arm(side)
        arms |= capsules(shape, np.array([shoulder, elbow, wrist]), [0.26 * s, 0.22 * s, 0.14 * s])
        hands |= capsules(
            shape,
            np.array([wrist * 0.8 + body.fingertips(side) * 0.2, body.fingertips(side)]),
            [0.11 * s, 0.14 * s],
        )
    return _blurred(arms, 0.03 * s), _blurred(hands, 0.03 * s)


def _neck(shape: tuple[int, ...], body: Body) -> Mask:
    half = body.across * 0.2 * body.scale_px
    chin = body.chin()
    base = body.at(0, 0.08)
    return _blurred(
        polygon(shape, [chin - half, chin + half, base + half * 1.2, base - half * 1.2]),
        0.03 * body.scale_px,
    )


def _head(x: NDArray[np.float32], y: NDArray[np.float32], body: Body) -> Mask:
    """The oval of the face and skull."""
    up = body.eyes() - body.mouth()
    size = max(float(np.linalg.norm(up)), 0.8 * body.eye_distance_px())
    centre = body.eyes() + up * 0.1
    return _soft(
        1 - np.hypot((x - centre[0]) / (1.75 * size), (y - centre[1]) / (2.3 * size)), 0.06
    )


def _chin_line(x: NDArray[np.float32], y: NDArray[np.float32], body: Body) -> Mask:
    """1 below the chin, 0 above it."""
    down = body.mouth() - body.eyes()
    length = float(np.linalg.norm(down)) + 1e-6
    chin = body.chin()
    return _soft(((x - chin[0]) * down[0] + (y - chin[1]) * down[1]) / length, 0.04 * body.scale_px)


def _hair(x: NDArray[np.float32], y: NDArray[np.float32], body: Body) -> Mask:
    """Around the skull surely, down beside the neck to the chest perhaps."""
    up = body.eyes() - body.mouth()
    size = max(float(np.linalg.norm(up)), 0.8 * body.eye_distance_px())
    centre = body.eyes() + up * 0.9
    skull = _soft(
        1 - np.hypot((x - centre[0]) / (2.2 * size), (y - centre[1]) / (2.2 * size)), 0.08
    )
    fall = _soft(
        1 - np.hypot((x - body.mouth()[0]) / (2.6 * size), (y - body.mouth()[1]) / (4.2 * size)),
        0.08,
    )
    face = _soft(
        1
        - np.hypot(
            (x - body.mouth()[0]) / (1.2 * size), (y - (body.mouth() + up * 0.5)[1]) / (1.7 * size)
        ),
        0.08,
    )
    return np.maximum(0.7 * skull, 0.25 * fall) * (1 - 0.93 * face)
