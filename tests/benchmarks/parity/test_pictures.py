"""Every golden of masks and picture preparation, and that the comparison notices a mistake."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.parity import masks, parsing, preprocess
from benchmarks.parity.report import Compared

FIXTURES = Path(__file__).parents[2] / "fixtures" / "idm_vton"


def over(compared: list[Compared]) -> list[str]:
    return [one.golden for one in compared if one.difference > one.tolerance]


def test_every_mask_is_the_original_s() -> None:
    compared = list(masks.compare(FIXTURES / "masks"))
    assert len(compared) == 131
    assert not over(compared)


def test_every_crop_paste_and_plane_is_the_original_s() -> None:
    compared = list(preprocess.compare(FIXTURES / "preprocess"))
    assert len(compared) == 18
    assert not over(compared)


def test_every_parsing_input_and_result_is_the_original_s() -> None:
    compared = list(parsing.compare(FIXTURES / "parsing"))
    assert len(compared) == 4
    assert not over(compared)


@pytest.mark.parametrize("module", [masks, parsing, preprocess])
def test_a_folder_without_goldens_yields_nothing(module: object, tmp_path: Path) -> None:
    assert list(module.compare(tmp_path)) == []  # type: ignore[attr-defined]  # both have it


def test_a_photo_mirrored_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "parsing", tmp_path / "parsing")
    image = tmp_path / "parsing" / "down.image.png"
    with Image.open(image) as opened:
        mirrored = opened.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored.save(image)
    wrong = over(list(parsing.compare(tmp_path / "parsing")))
    assert wrong == ["parsing/down.network_input_473", "parsing/down.network_input_512"]


def test_what_cannot_be_read_is_over_and_ends_nothing(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "masks", tmp_path / "masks")
    (tmp_path / "masks" / "parse" / "hip.png").write_bytes(b"no picture")
    (tmp_path / "masks" / "parse" / "legs.png").unlink()
    compared = list(masks.compare(tmp_path / "masks"))
    assert len(compared) == 126
    assert len(over(compared)) == 5


def test_swapped_arms_are_noticed(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "masks", tmp_path / "masks")
    told = json.loads((tmp_path / "masks" / "masks.json").read_text())
    told["cases"] = [case for case in told["cases"] if case["name"] == "one_up"]
    points = told["cases"][0]["keypoints"]
    points[2:5], points[5:8] = points[5:8], points[2:5]
    (tmp_path / "masks" / "masks.json").write_text(json.dumps(told))
    compared = list(masks.compare(tmp_path / "masks"))
    assert {"masks/one_up.upper_body.hd", "masks/one_up.dresses.dc"} <= set(over(compared))
