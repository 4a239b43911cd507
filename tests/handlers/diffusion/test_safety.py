from pathlib import Path

import numpy as np
import pytest

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.diffusion.safety import Checker
from tests.handlers.diffusion import tiny_sdxl

PICTURES = list(np.random.default_rng(0).integers(0, 256, (6, 40, 30, 3), np.uint8))


@pytest.mark.parametrize(("threshold", "blocked"), [(-1.0, True), (1.0, False)])
def test_what_is_near_a_concept_is_blocked(
    tmp_path: Path, threshold: float, *, blocked: bool
) -> None:
    checker = Checker(tiny_sdxl.write_checker(tmp_path, threshold))
    assert checker.blocks(PICTURES) == [blocked] * 6


def test_each_picture_is_judged_by_itself(tmp_path: Path) -> None:
    black, white = np.zeros((40, 30, 3), np.uint8), np.full((40, 30, 3), 255, np.uint8)
    pictures = [black, white, *PICTURES]
    for number, threshold in enumerate(np.linspace(0.0, 0.9, 10)):
        folder = tiny_sdxl.write_checker(tmp_path / str(number), float(threshold))
        checker = Checker(folder)
        found = checker.blocks(pictures)
        assert found == [checker.blocks([one])[0] for one in pictures]
        if len(set(found)) > 1:
            return
    pytest.fail("no threshold tells the pictures apart")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "preprocessor_config.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    tiny_sdxl.write_checker(tmp_path, 0.5)
    (tmp_path / name).unlink()
    with pytest.raises(BadCheckpoint, match=f"{name}: missing"):
        Checker(tmp_path)
