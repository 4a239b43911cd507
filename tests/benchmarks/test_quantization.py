import json
from pathlib import Path

import pytest
import torch

from benchmarks import quantization


@pytest.mark.prop(22)
@pytest.mark.slow
def test_int8_stays_below_its_limit_on_a_network_of_a_useful_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "numbers.json"
    assert quantization.main(["--quick", "--json", str(file)]) == 0
    told = {(row["network"], row["numbers"]): row for row in json.loads(file.read_text())["rows"]}
    large, whole = told["188 M", "INT8"], told["188 M", "float32"]
    assert large["step_error"] < 0.02
    assert large["picture_error"] < 0.02
    assert large["psnr_db"] > 34
    assert large["weight_bytes"] < 0.6 * whole["weight_bytes"]
    assert (whole["step_error"], whole["layers"]) == (0, 0)
    assert "| 188 M" in capsys.readouterr().out


def test_the_large_network_has_as_many_parameters_as_it_says() -> None:
    nets = quantization.large(torch.device("cpu"), torch.bfloat16)
    assert round(sum(one.numel() for one in nets.tryon.parameters()) / 1e6) == 188
