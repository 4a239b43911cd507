"""The quality benchmark's command: what it prints, writes, and answers as exit status."""

import json
from pathlib import Path

import cv2
import pytest

from benchmarks import pairs, quality

FOLDER = Path(__file__).parents[1] / "fixtures" / "pairs"


@pytest.fixture
def one_pair(tmp_path: Path) -> Path:
    """A set of a single pair, its files where they are."""
    listed = json.loads((FOLDER / "pairs.json").read_text())["pairs"][:1]
    for entry in listed:
        for key in ("person", "garment", "truth"):
            entry[key] = str(FOLDER / entry[key])
        entry["masks"] = {name: str(FOLDER / path) for name, path in entry["masks"].items()}
    (tmp_path / "pairs.json").write_text(json.dumps({"pairs": listed}))
    return tmp_path


def test_doing_nothing_misses_the_bar(
    one_pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = tmp_path / "numbers.json"
    status = quality.main([str(one_pair), "--engine", "none", "--bar", "--json", str(numbers)])
    assert status == 1
    assert "misses the bar on wrong%" in capsys.readouterr().out
    stored = json.loads(numbers.read_text())
    assert stored["measured"]["cores"] >= 1
    assert stored["means"]["none"] == stored["means"]["do nothing"]


def test_the_truth_meets_the_bar_and_is_shown(
    one_pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pair,) = pairs.load(one_pair)
    results, sheet = tmp_path / "results", tmp_path / "sheet.png"
    results.mkdir()
    cv2.imwrite(str(results / f"{pair.id}.png"), cv2.cvtColor(pair.truth, cv2.COLOR_RGB2BGR))
    status = quality.main(
        [str(one_pair), "--engine", f"results:{results}", "--bar", "--sheet", str(sheet)]
    )
    assert status == 0
    assert "meets the bar" in capsys.readouterr().out
    assert pairs.read_rgb(sheet).shape[1] == 4 * 384


def test_a_missing_result_is_named(
    one_pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = quality.main([str(one_pair), "--engine", f"results:{tmp_path}", "--bar"])
    assert status == 1
    assert "refused p02_logo_m" in capsys.readouterr().out


def test_a_folder_without_pairs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(pairs.BadPairs, match=r"pairs\.json"):
        quality.main([str(tmp_path), "--engine", "none"])


@pytest.mark.slow
def test_the_embedded_engine_meets_the_bar_on_the_shipped_pairs() -> None:
    assert quality.main(["--bar"]) == 0
