import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from benchmarks.parity.openpose import compare

GOLDENS = Path(__file__).parents[2] / "fixtures" / "idm_vton" / "openpose"
NORMATIVE = {"one", "missing_wrist", "missing_arm", "upper_only"}


def wrong(folder: Path) -> list[str]:
    return [one.golden for one in compare(folder) if one.difference > one.tolerance]


def test_every_normative_golden_is_reproduced() -> None:
    goldens = [one.golden for one in compare(GOLDENS)]
    assert wrong(GOLDENS) == []
    assert len(goldens) == 7 * len(NORMATIVE)
    assert {name.split("/")[1].split(".")[0] for name in goldens} == NORMATIVE


@pytest.mark.parametrize("field", ["heat", "paf"])
def test_channels_out_of_order_are_told(tmp_path: Path, field: str) -> None:
    shutil.copytree(GOLDENS, tmp_path, dirs_exist_ok=True)
    fields = load_file(tmp_path / "fields.safetensors")
    key = f"one.{field}"
    fields[key] = fields[key][[2, 1, 0, *range(3, len(fields[key]))]]
    save_file(fields, tmp_path / "fields.safetensors")
    assert wrong(tmp_path)


def test_what_is_absent_is_not_compared(tmp_path: Path) -> None:
    assert list(compare(tmp_path)) == []
    shutil.copy(GOLDENS / "fields.safetensors", tmp_path)
    case = {"name": "one", "people_given": 1, "pose_keypoints_2d": [[0, 0]] * 18}
    (tmp_path / "openpose.json").write_text(json.dumps({"cases": [case]}))
    assert wrong(tmp_path) == ["openpose/one.pose_keypoints_2d"]
