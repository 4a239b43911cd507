import numpy as np
import pytest
from numpy.typing import NDArray

from handlers.vision.neck import with_neck

FACE, NECK, HAIR = 11, 18, 2


def labels() -> NDArray[np.uint8]:
    """A face from row 20 to row 79, hair above."""
    drawn = np.zeros((120, 100), np.uint8)
    drawn[20:80, 30:70] = FACE
    drawn[10:20, 30:70] = HAIR
    return drawn


def keypoints(nose: tuple[float, float], neck: tuple[float, float]) -> NDArray[np.float32]:
    points = np.zeros((18, 3), np.float32)
    points[0, :2], points[1, :2] = nose, neck
    return points


def test_the_face_ends_a_little_beyond_half_way_from_nose_to_neck() -> None:
    result = with_neck(labels(), keypoints((50, 40), (50, 80)))
    rows = np.unique(np.nonzero(result == NECK)[0])
    assert rows.tolist() == list(range(63, 80))  # 40 + 0.55 * 40 = 62 is still face


def test_nothing_but_face_becomes_neck() -> None:
    drawn = labels()
    result = with_neck(drawn, keypoints((50, 5), (50, 15)))
    assert np.array_equal(result != drawn, drawn == FACE)
    assert (result[drawn == FACE] == NECK).all()


def test_a_tilted_head_has_a_tilted_chin() -> None:
    result = with_neck(labels(), keypoints((40, 30), (70, 60)))
    assert result[70, 40] == result[40, 69] == NECK
    assert result[40, 35] == FACE


@pytest.mark.parametrize(
    "points", [keypoints((0, 0), (50, 80)), keypoints((50, 40), (0, 0))], ids=["nose", "neck"]
)
def test_without_nose_or_shoulders_the_labels_stay(points: NDArray[np.float32]) -> None:
    drawn = labels()
    result = with_neck(drawn, points)
    assert np.array_equal(result, drawn)
    assert result is not drawn
