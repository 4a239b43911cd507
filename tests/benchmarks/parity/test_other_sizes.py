"""Goldens of other widths, depths, heads, frames, batches and strengths than the shipped ones."""

from pathlib import Path

import pytest
import torch

from benchmarks.parity import __main__ as parity
from handlers.diffusion.loading import load
from handlers.diffusion.repository import Repository
from tests.benchmarks.parity.recording import Wish, record
from tests.handlers.diffusion import published
from tests.handlers.diffusion.published import Shape

WISHES = {
    "three rows, odd latents": (Shape(), Wish(3, 72, 56, steps=3, guidance=2.5, strength=1.0)),
    "from the photo": (Shape(depths=(1, 1, 3)), Wish(1, 64, 48, 5, guidance=2.0, strength=0.6)),
    "without guidance": (
        Shape(channels=(8, 16, 16), heads=(1, 4, 2), vae=(8, 8, 8, 8), queries=16),
        Wish(2, 96, 64, steps=2, guidance=1.0, strength=1.0),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WISHES)
def test_a_run_of_other_sizes_is_met(name: str, tmp_path: Path) -> None:
    shape, wish = WISHES[name]
    repository = published.write(tmp_path / "repository", shape)
    nets = load(Repository.open(repository), torch.device("cpu"), torch.float32)
    record(nets, tmp_path / "goldens" / "e2e", wish)
    compared = list(parity.compare(tmp_path / "goldens", repository))
    assert [str(one) for one in compared if not one.holds] == []
    assert {"decoder_output", "output_uint8", "timesteps"} <= {
        one.golden.rpartition("/")[2] for one in compared
    }
