"""The tiny repository that the goldens were recorded from, loaded once per process."""

from functools import cache
from pathlib import Path

import torch

from benchmarks.parity.runs import Case, cases
from handlers.diffusion.loading import Networks, load
from handlers.diffusion.repository import Repository

GOLDENS = Path(__file__).parents[2] / "fixtures" / "idm_vton"
REPOSITORY = GOLDENS / "tiny-idm-vton"


@cache
def networks() -> Networks:
    return fresh_networks()


def fresh_networks() -> Networks:
    """Networks of one's own, to be changed."""
    return load(Repository.open(REPOSITORY), torch.device("cpu"), torch.float32)


def case(name: str) -> Case:
    return next(one for one in cases(GOLDENS / "e2e") if one.name == name)


def relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())
