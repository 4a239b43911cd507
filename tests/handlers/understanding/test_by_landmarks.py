"""MediaPipe and geometry behind the contract, on rendered people whose truth is known."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from handlers.errors import Unfit
from handlers.landmarks import BodyLandmarks
from handlers.loader import Loader
from handlers.understanding.by_landmarks import LandmarkUnderstanding
from handlers.understanding.contract import KEYPOINTS, PARSE_LABELS
from handlers.vision import crop
from handlers.vision.agnostic import Category, agnostic_mask
from tests.handlers.understanding.conftest import HEIGHT_PX, WIDTH_PX, Rendered

NAMES = ["p01", "p02", "p03", "p06"]
WALL = np.full((HEIGHT_PX, WIDTH_PX, 3), 170, np.uint8)
FACE, NECK = PARSE_LABELS.index("face"), PARSE_LABELS.index("neck")
LEAST = {  # overlap with the truth; shoes are small, and hair is cropped short
    "background": 0.98,
    "hair": 0.8,
    "upper_clothes": 0.95,
    "pants": 0.95,
    "left_shoe": 0.75,
    "right_shoe": 0.75,
    "face": 0.85,
    "left_arm": 0.8,
    "right_arm": 0.8,
}
Person = Callable[[str], Rendered]


def overlap(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return float((found & true).sum() / (found | true).sum())


@pytest.mark.parametrize("name", NAMES)
def test_labels_lie_where_the_renderer_put_them(
    rendered: Person, landmarks: LandmarkUnderstanding, name: str
) -> None:
    person = rendered(name)
    labels = landmarks.parse(person.rgb)
    assert labels.shape == (HEIGHT_PX, WIDTH_PX)
    assert (labels == NECK).any()
    labels[labels == NECK] = FACE  # the renderer counts it so
    for value in np.unique(person.labels):
        word = PARSE_LABELS[value]
        assert overlap(labels == value, person.labels == value) > LEAST[word], word


@pytest.mark.parametrize("name", NAMES)
def test_key_points_lie_near_the_rendered_joints(
    rendered: Person, landmarks: LandmarkUnderstanding, name: str
) -> None:
    person = rendered(name)
    points = landmarks.keypoints(person.rgb)
    assert points.shape == (18, 3)
    span = np.linalg.norm(person.joints["left_shoulder"] - person.joints["right_shoulder"])
    for joint in ("shoulder", "elbow", "wrist"):
        for side in ("left", "right"):
            found = points[KEYPOINTS.index(f"{side}_{joint}")]
            assert found[2] > 0.3
            assert np.linalg.norm(found[:2] - person.joints[f"{side}_{joint}"]) < 0.3 * span


def test_a_joint_outside_the_photo_is_missing(
    rendered: Person, landmarks: LandmarkUnderstanding
) -> None:
    points = landmarks.keypoints(rendered("p02").rgb)  # cut off above the knees
    assert not points[KEYPOINTS.index("left_ankle")].any()
    assert points[KEYPOINTS.index("nose")].any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("category", ["upper_body", "lower_body", "dresses"])
def test_a_mask_covers_the_garment_and_keeps_the_rest(
    rendered: Person, landmarks: LandmarkUnderstanding, name: str, category: Category
) -> None:
    person = rendered(name)
    mask = agnostic_mask(landmarks.parse(person.rgb), landmarks.keypoints(person.rgb), category, 60)
    worn = {"upper_body": [4], "lower_body": [6], "dresses": [4, 6]}[category]
    kept = {"upper_body": [6], "lower_body": [4, 14, 15], "dresses": []}[category]
    assert mask[np.isin(person.labels, worn)].mean() > 0.97
    if kept:
        assert mask[np.isin(person.labels, kept)].mean() < 0.05
    head = np.isin(person.labels, (2, 11)) & (np.indices(mask.shape)[0] < _chin_y(person))
    assert mask[head].mean() < 0.02


def _chin_y(person: Rendered) -> float:
    nose, shoulder = person.joints["nose"], person.joints["left_shoulder"]
    return float(nose[1] + 0.2 * (shoulder[1] - nose[1]))


@pytest.mark.parametrize("name", NAMES)
def test_the_body_s_parts_lie_in_order_within_the_outline(
    rendered: Person, landmarks: LandmarkUnderstanding, name: str
) -> None:
    person = rendered(name)
    parts = landmarks.parts(person.rgb)
    assert parts.max() <= 24
    assert (person.labels[parts > 0] > 0).mean() > 0.97
    middle = {part: np.argwhere(parts == part).mean(0) for part in np.unique(parts) if part}
    assert middle[23][1] < middle[24][1]  # the person's right is the picture's left
    assert middle[3][1] < middle[2][1] < middle[4][1]
    assert middle[23][0] < middle[2][0] < middle[9][0]
    covered = parts[person.labels > 0] > 0
    assert covered.mean() > 0.85


def test_a_wall_has_no_key_points_and_no_labels(landmarks: LandmarkUnderstanding) -> None:
    assert not landmarks.keypoints(WALL).any()
    assert not len(landmarks.people(WALL))
    assert landmarks.count(WALL) == 0
    with pytest.raises(Unfit):
        landmarks.parse(WALL)
    with pytest.raises(Unfit):
        landmarks.parts(WALL)


def test_the_labels_are_one_person_s(rendered: Person, landmarks: LandmarkUnderstanding) -> None:
    large, small = rendered("p02").rgb, crop.resized(rendered("p01").rgb, 192, 256)
    photo = np.full((HEIGHT_PX, WIDTH_PX + 192, 3), small[0, 0], np.uint8)
    photo[:, :WIDTH_PX] = large
    photo[-256:, WIDTH_PX:] = small
    labels = landmarks.parse(photo)
    assert (labels[:, :WIDTH_PX] > 0).any()
    assert not (labels[:, WIDTH_PX + 20 :] > 0).any()


def test_a_person_s_box_holds_the_person(
    rendered: Person, landmarks: LandmarkUnderstanding
) -> None:
    person = rendered("p01")
    ((x0, y0, x1, y1, score),) = landmarks.people(person.rgb)
    ys, xs = np.nonzero(person.labels)
    assert x0 <= xs.min() + 8
    assert y0 <= ys.min() + 8
    assert x1 >= xs.max() - 8
    assert y1 >= ys.max() - 8
    assert 0 < score <= 1


@pytest.mark.prop(25)
def test_any_number_of_threads_share_one_detector(rendered: Person) -> None:
    made: list[BodyLandmarks] = []

    def make() -> BodyLandmarks:
        made.append(BodyLandmarks(0.5))
        return made[-1]

    shared = LandmarkUnderstanding(Loader(make), 0.3)
    photos = [rendered(name).rgb for name in NAMES]
    with ThreadPoolExecutor(len(photos)) as pool:
        at_once = list(pool.map(shared.keypoints, photos))
    assert len(made) == 1
    for photo, points in zip(photos, at_once, strict=True):
        assert (points == shared.keypoints(photo)).all()


def test_a_mirrored_photo_has_mirrored_labels(
    rendered: Person, landmarks: LandmarkUnderstanding
) -> None:
    rgb = rendered("p01").rgb
    mirrored = landmarks.parse(cv2.flip(rgb, 1))
    labels = landmarks.parse(rgb)
    left, right = PARSE_LABELS.index("left_arm"), PARSE_LABELS.index("right_arm")
    assert overlap(labels == left, mirrored[:, ::-1] == right) > 0.8
