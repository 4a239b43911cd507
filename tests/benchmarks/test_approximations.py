import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import approximations
from handlers.diffusion.denoising import Plan

EXACT = Plan(1, 128, 96, 30, 2.0, strength=1.0)


def test_the_shipped_presets_and_each_option_are_held_against_the_exact_way() -> None:
    ways = approximations.ways(EXACT)
    assert ways["exact"].approximate == ()
    assert {"preset fast", "preset balanced", "preset quality"} < set(ways)
    assert ways["preset quality"] == ways["exact"]
    assert ways["step cache 2"].approximate == ("step_cache",)
    assert ways["guidance until 0.75"].approximate == ("guidance_interval",)


def test_likeness_knows_equal_pictures_and_unlike_ones() -> None:
    make = np.random.default_rng(1)
    one, other = (make.integers(0, 256, (32, 32, 3), np.uint8) for _ in range(2))
    assert approximations.psnr_db(one, one) == math.inf
    assert approximations.ssim(one, one) == pytest.approx(1)
    assert approximations.psnr_db(one, other) < 12
    assert abs(approximations.ssim(one, other)) < 0.2


@pytest.mark.slow
def test_the_table_says_what_an_option_saves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "numbers.json"
    assert approximations.main(["--quick", "--json", str(file)]) == 0
    told = {one["name"]: one for one in json.loads(file.read_text())["rows"]}
    exact = told["exact"]
    assert exact["ssim"] == pytest.approx(1)
    assert exact["psnr_db"] is None  # equal to itself
    for name in ("preset fast", "preset balanced", "guidance until 0.75", "step cache 2"):
        assert told[name]["tflop"] < exact["tflop"]
    assert told["step cache 3"]["tflop"] < told["step cache 2"]["tflop"]
    assert "| step cache 2" in capsys.readouterr().out
