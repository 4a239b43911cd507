"""The command that a GPU is measured with, on what every machine has."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu.networks import Subject
from benchmarks.gpu.sizes import PUBLISHED, TINY
from handlers.diffusion import networks
from handlers.diffusion.resampler import Resampler
from tests.handlers.torchserve_rows import ROOT

ON_A_CPU = ["--device", "cpu", "--tiny", "--quick"]
ALONE = """
import sys
for absent in ("transformers", "cv2", "mediapipe", "ts", "bitsandbytes"):
    sys.modules[absent] = None
from benchmarks.gpu.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_the_table_stands_the_original_beside_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gpu.main([*ON_A_CPU, "--output", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    stored = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert next(tmp_path.glob("*.md")).read_text().strip() in told
    names = [one["name"] for one in stored["formulas"]]
    assert names == ["original", "ours", "ours, garment at hand"]
    assert all(name in told for name in names)
    assert all(one["difference"] < 1e-5 for one in stored["formulas"])
    operations = [one["step_tflop"] for one in stored["formulas"]]
    assert operations[0] > operations[1] > operations[2] > 0
    assert all(one["roofline_share"] > 0 for one in stored["formulas"])


# torch's own compiler uses what torch calls old.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")
@pytest.mark.slow
def test_compiled_blocks_stand_beside_and_differ_by_rounding(tmp_path: Path) -> None:
    assert gpu.main([*ON_A_CPU, "--compiled", "--output", str(tmp_path)]) == 0
    stored = json.loads(next(tmp_path.glob("*.json")).read_text())["formulas"]
    names = [one["name"] for one in stored]
    assert names[3:] == [f"{name}, compiled" for name in names[:3]]
    assert all(one["difference"] < 1e-5 for one in stored)


def test_operations_are_counted_without_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(["--device", "meta", "--tiny"]) == 0
    rows = [line.split("|")[1:4] for line in capsys.readouterr().out.splitlines()[2:]]
    counts = [float(count) for _, count, _ in rows]
    assert counts[0] > counts[1] > counts[2] > counts[3] > 0


@pytest.mark.slow
def test_it_needs_torch_diffusers_and_safetensors_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ALONE, *ON_A_CPU, "--output", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu.main([])
    assert "--device cpu --tiny" in capsys.readouterr().err


def test_the_published_architecture_has_the_published_number_of_weights() -> None:
    with torch.device("meta"):
        tryon = networks.tryon_unet(PUBLISHED.tryon, PUBLISHED.resampler)
        resampler = Resampler(PUBLISHED.resampler)
    count = sum(one.numel() for one in tryon.parameters())
    assert sum(one.numel() for one in resampler.parameters()) == 82_961_664
    assert count == 2_991_238_468


def test_both_forms_share_their_weights() -> None:
    subject = Subject(TINY, torch.device("cpu"), torch.float32)
    ours, theirs = subject.garment.conv_in.weight, subject.whole_garment.conv_in.weight
    assert ours.data_ptr() == theirs.data_ptr()
