from pathlib import Path

import numpy as np
import pytest

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.understanding.rtdetr import RtDetrDetector
from tests.handlers.understanding import tiny_pretrained
from tests.handlers.understanding.densepose import tiny

PHOTO = tiny.photo(120, 200)


def test_people_come_with_boxes_in_the_photo_the_largest_first(tmp_path: Path) -> None:
    people = RtDetrDetector(tiny_pretrained.rt_detr(tmp_path), 0.0, "cpu").people(PHOTO)
    assert len(people) > 3
    assert people.dtype == np.float32
    assert people.shape[1] == 5
    assert people[:, :4].min() >= 0
    assert (people[:, :4] <= [200, 120, 200, 120]).all()
    areas = np.prod(people[:, 2:4] - people[:, :2], axis=1)
    assert (areas > 0).all()
    assert (np.diff(areas) <= 1e-2).all()


def test_only_people_count_wherever_their_class_stands(tmp_path: Path) -> None:
    first = tiny_pretrained.rt_detr(tmp_path / "first", ("person", "bicycle"))
    second = tiny_pretrained.rt_detr(tmp_path / "second", ("bicycle", "person"))
    ones = {tuple(person) for person in RtDetrDetector(first, 0.0, "cpu").people(PHOTO).tolist()}
    others = {tuple(person) for person in RtDetrDetector(second, 0.0, "cpu").people(PHOTO).tolist()}
    assert ones
    assert others
    assert not ones & others


def test_below_the_least_score_nobody_is_found(tmp_path: Path) -> None:
    folder = tiny_pretrained.rt_detr(tmp_path)
    everybody = RtDetrDetector(folder, 0.0, "cpu").people(PHOTO)
    threshold = float(np.median(everybody[:, 4]))
    some = RtDetrDetector(folder, threshold, "cpu").people(PHOTO)
    assert 0 < len(some) < len(everybody)
    assert some[:, 4].min() >= threshold
    assert RtDetrDetector(folder, 1.0, "cpu").people(PHOTO).shape == (0, 5)


def test_a_detector_of_other_things_is_refused(tmp_path: Path) -> None:
    folder = tiny_pretrained.rt_detr(tmp_path, ("cat", "dog"))
    with pytest.raises(BadCheckpoint, match=r"config\.json: id2label knows no 'person'"):
        RtDetrDetector(folder, 0.5, "cpu")
