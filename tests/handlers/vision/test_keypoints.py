import numpy as np

from handlers.understanding.contract import KEYPOINTS
from handlers.vision.keypoints import from_coco

COCO = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]
POINTS = np.array([[3 * index, 100 - index] for index in range(17)], np.float64)
SCORES = np.linspace(0.3, 0.9, 17)


def test_every_point_bears_the_name_it_had() -> None:
    result = from_coco(POINTS, SCORES, 0.0)
    assert result.shape == (18, 3)
    for name, point in zip(KEYPOINTS, result, strict=True):
        if name != "neck":
            index = COCO.index(name)
            assert np.allclose(point, [*POINTS[index], SCORES[index]]), name


def test_the_neck_is_between_the_shoulders_and_as_sure_as_the_less_sure_one() -> None:
    left, right = COCO.index("left_shoulder"), COCO.index("right_shoulder")
    neck = from_coco(POINTS, SCORES, 0.0)[KEYPOINTS.index("neck")]
    assert np.allclose(neck[:2], (POINTS[left] + POINTS[right]) / 2)
    assert np.isclose(neck[2], SCORES[[left, right]].min())


def test_an_unsure_point_is_missing_and_so_is_a_neck_without_its_shoulder() -> None:
    scores = np.ones(17)
    scores[[COCO.index("left_shoulder"), COCO.index("right_ear")]] = 0.2
    result = from_coco(POINTS, scores, 0.3)
    missing = {name for name, point in zip(KEYPOINTS, result, strict=True) if not point.any()}
    assert missing == {"left_shoulder", "right_ear", "neck"}


def test_confidence_stays_between_zero_and_one() -> None:
    result = from_coco(POINTS, np.linspace(-0.1, 1.2, 17), -1.0)
    assert result[:, 2].min() >= 0
    assert result[:, 2].max() <= 1
