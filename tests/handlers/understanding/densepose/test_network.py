"""The network against goldens of detectron2's: R_50_FPN_s1x's names, a tiny network's numbers.

`tiny.json` was recorded from a network that is equal to detectron2's to the last bit.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handlers.understanding.densepose import checkpoint
from handlers.understanding.densepose.estimator import part_labels
from handlers.understanding.densepose.heads import Wanted
from handlers.understanding.densepose.network import DensePose, InputSize, Sizes
from tests.handlers.understanding.densepose import tiny

GOLDENS = Path(__file__).parents[3] / "fixtures" / "densepose"
TOLD = json.loads((GOLDENS / "tiny.json").read_text())


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> DensePose:
    file = tiny.saved(tmp_path_factory.mktemp("densepose") / "model_final.pkl")
    return checkpoint.load(file, tiny.INPUT_SIZE, "cpu")


def test_names_and_shapes_are_the_published_ones() -> None:
    published = json.loads((GOLDENS / "published_keys.json").read_text())
    assert {name: list(shape) for name, shape in tiny.shapes(Sizes()).items()} == published


@pytest.mark.parametrize("case", TOLD["cases"])
def test_people_and_parts_are_those_of_detectron2(network: DensePose, case: dict[str, Any]) -> None:
    photo = tiny.photo(case["height_px"], case["width_px"], case["seed"])
    (found,) = network([photo], Wanted(TOLD["min_score"]))
    assert np.allclose(found.boxes, case["boxes"], atol=0.01)
    assert np.allclose(found.scores, case["scores"], atol=1e-4)
    for index, expected in enumerate(case["part_pixels"]):
        labels = part_labels(found, index)
        counted = np.bincount(labels.ravel(), minlength=25)
        assert np.abs(counted - expected).sum() <= 0.01 * labels.size


def test_two_photos_at_once_are_two_photos_one_by_one(network: DensePose) -> None:
    photos = [tiny.photo(256, 192, 0), tiny.photo(256, 192, 1)]
    together = network(photos, Wanted(0.7))
    for photo, found in zip(photos, together, strict=True):
        (alone,) = network([photo], Wanted(0.7))
        assert len(alone.boxes) > 3
        for ours, theirs in zip(found, alone, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)


def test_nobody_is_a_found_nobody(network: DensePose) -> None:
    (found,) = network([tiny.photo(96, 96)], Wanted(1.0))
    assert [len(values) for values in found] == [0, 0, 0, 0]


def test_boxes_lie_within_their_photo(network: DensePose) -> None:
    (found,) = network([tiny.photo(104, 304)], Wanted(0.0))
    assert found.boxes.min() >= 0
    assert (found.boxes.amax(0) <= torch.tensor([304, 104, 304, 104])).all()


@pytest.mark.parametrize(
    ("height_px", "width_px", "seen"),
    [
        (512, 384, (1067, 800)),
        (384, 512, (800, 1067)),
        (1024, 768, (1067, 800)),
        (400, 2000, (267, 1333)),
        (3000, 500, (1333, 222)),
        (800, 800, (800, 800)),
    ],
)
def test_the_short_side_becomes_800_unless_the_long_one_passes_1333(
    height_px: int, width_px: int, seen: tuple[int, int]
) -> None:
    assert InputSize().of(height_px, width_px) == seen
