"""The whole command on the shipped goldens, and on goldens that ours must not meet."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from benchmarks.parity import __main__ as parity
from tests.handlers.diffusion import tiny


@pytest.mark.slow
def test_every_golden_is_met_within_its_tolerance() -> None:
    compared = list(parity.compare(tiny.GOLDENS))
    assert [str(one) for one in compared if not one.holds] == []
    parts = {one.golden.partition("/")[0] for one in compared}
    assert parts == {"unit", "e2e", "masks", "parsing", "openpose", "densepose", "preprocess"}
    assert len(compared) > 350


@pytest.fixture
def goldens(tmp_path: Path) -> Path:
    """A folder with the goldens of single networks alone, to spoil."""
    shutil.copytree(tiny.GOLDENS / "unit", tmp_path / "goldens" / "unit")
    for file in (tmp_path / "goldens").rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    return tmp_path / "goldens"


def run(goldens: Path) -> int:
    return parity.main([str(goldens), "--repo", str(tiny.REPOSITORY)])


def test_a_folder_may_hold_any_part(goldens: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (goldens / "unit" / "scheduler.safetensors").unlink()
    assert run(goldens) == 0
    told = capsys.readouterr().out
    assert "unit/resampler/output" in told
    assert "scheduler" not in told


def test_a_golden_that_is_not_met_ends_with_status_1(
    goldens: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = goldens / "unit" / "tryon_unet.safetensors"
    tensors = load_file(file)
    tensors["noise_pred"] *= 1.001
    save_file(tensors, file)
    assert run(goldens) == 1
    assert "OVER unit/tryon_unet/noise_pred" in capsys.readouterr().out


def test_a_golden_of_another_shape_is_not_met(goldens: Path) -> None:
    file = goldens / "unit" / "garment_unet.safetensors"
    tensors = load_file(file)
    tensors["feature.000"] = tensors["feature.000"][:, :5].contiguous()
    save_file(tensors, file)
    assert run(goldens) == 1


def test_a_part_that_cannot_be_read_does_not_silence_the_others(
    goldens: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (goldens / "masks").mkdir()
    (goldens / "masks" / "masks.json").write_text(json.dumps({"cases": [{"name": "half"}]}))
    assert run(goldens) == 1
    told = capsys.readouterr().out
    assert "OVER masks: KeyError" in told
    assert "ok   unit/resampler/output" in told


def test_an_empty_folder_shows_nothing_and_says_so(tmp_path: Path) -> None:
    assert parity.main([str(tmp_path)]) == 1
