import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handlers.vision import densepose_picture

GOLDENS = Path(__file__).parents[2] / "fixtures" / "idm_vton" / "densepose"
TOLD = json.loads((GOLDENS / "densepose.json").read_text())


def test_the_palette_is_the_one_the_original_paints_with() -> None:
    assert densepose_picture.palette().tolist() == TOLD["palette_rgb"]


@pytest.mark.parametrize("case", TOLD["cases"], ids=lambda case: str(case["name"]))
def test_the_last_person_painted_is_the_golden_picture(case: dict[str, object]) -> None:
    instances = case["instances"]
    assert isinstance(instances, list)
    last = len(instances) - 1
    labels = np.array(Image.open(GOLDENS / f"{case['name']}.labels.{last}.png"))
    golden = np.array(Image.open(GOLDENS / str(case["render"])))
    frame = densepose_picture.placed(labels, instances[last]["bbox_xywh"], golden.shape)
    assert np.array_equal(densepose_picture.render(frame), golden)


def test_background_is_black_although_the_palette_begins_blue() -> None:
    assert not densepose_picture.render(np.zeros((4, 6), np.uint8)).any()
    assert densepose_picture.palette()[0].any()


def test_a_box_that_passes_the_frame_is_cut_off() -> None:
    frame = densepose_picture.placed(np.full((8, 8), 3, np.uint8), (4.9, 6.2), (10, 9))
    assert frame.shape == (10, 9)
    assert np.array_equal(np.argwhere(frame == 3).min(0), [6, 4])
    assert (frame == 3).sum() == 4 * 5
