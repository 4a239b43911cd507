import json
import shutil
from pathlib import Path

from PIL import Image

from benchmarks.parity.densepose import compare

GOLDENS = Path(__file__).parents[2] / "fixtures" / "idm_vton" / "densepose"


def test_every_golden_is_reproduced() -> None:
    compared = list(compare(GOLDENS))
    assert [one.golden for one in compared if one.difference > one.tolerance] == []
    assert {one.golden for one in compared} == {
        "densepose/palette_rgb",
        "densepose/one.render",
        "densepose/one.resized_stride16",
        "densepose/two.render",
        "densepose/two.resized_stride16",
    }


def test_a_label_out_of_place_is_told(tmp_path: Path) -> None:
    shutil.copytree(GOLDENS, tmp_path, dirs_exist_ok=True)
    with Image.open(tmp_path / "one.labels.0.png") as opened:
        labels = opened.copy()
    labels.putpixel((100, 100), 24 - int(labels.getpixel((100, 100))))  # type: ignore[arg-type]
    labels.save(tmp_path / "one.labels.0.png")
    wrong = {one.golden for one in compare(tmp_path) if one.difference > one.tolerance}
    assert "densepose/one.render" in wrong


def test_what_is_absent_is_not_compared(tmp_path: Path) -> None:
    assert list(compare(tmp_path)) == []
    told = json.loads((GOLDENS / "densepose.json").read_text())
    (tmp_path / "densepose.json").write_text(json.dumps({"palette_rgb": told["palette_rgb"]}))
    assert [one.golden for one in compare(tmp_path)] == ["densepose/palette_rgb"]
