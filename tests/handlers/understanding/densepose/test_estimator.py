from pathlib import Path

import numpy as np
import pytest

from handlers.understanding.densepose import boxes as of_boxes
from handlers.understanding.densepose import checkpoint
from handlers.understanding.densepose.estimator import DensePoseEstimator, part_labels
from handlers.understanding.densepose.heads import Wanted
from handlers.vision import densepose_picture
from tests.handlers.understanding.densepose import tiny


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.saved(tmp_path_factory.mktemp("densepose") / "model_final.pkl")


def test_the_parts_are_those_of_the_largest_person(file: Path) -> None:
    photo = tiny.photo(256, 192)
    parts = DensePoseEstimator(file, 0.7, "cpu", tiny.INPUT_SIZE).parts(photo)
    (found,) = checkpoint.load(file, tiny.INPUT_SIZE, "cpu")([photo], Wanted(0.7))
    areas = of_boxes.areas(found.boxes)
    assert len(areas) > 1
    assert int(areas.argmax()) not in {0, len(areas) - 1}  # neither the surest nor the last one
    largest = int(areas.argmax())
    labels = part_labels(found, largest)
    corner = found.boxes[largest, :2].tolist()
    expected = densepose_picture.placed(labels, corner, photo.shape)
    assert parts.shape == (256, 192)
    assert parts.dtype == np.uint8
    assert parts.max() <= 24
    assert len(np.unique(parts)) > 5
    assert (parts == expected).mean() > 0.99  # alone or among others: rounding apart, the same


def test_a_photo_of_nobody_has_no_parts(file: Path) -> None:
    estimator = DensePoseEstimator(file, 1.0, "cpu", tiny.INPUT_SIZE)
    assert not estimator.parts(tiny.photo(96, 64)).any()
