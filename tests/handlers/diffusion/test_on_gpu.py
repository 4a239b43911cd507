"""What only a card can show: journeys between host and card, and how they are measured."""

import numpy as np
import pytest
import torch

from handlers import memory
from handlers.diffusion import assembly
from handlers.diffusion.profiles import PROFILES
from handlers.quantize import deviation
from tests.handlers.diffusion.test_assembly import assembled, observed

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_a_request_s_peak_is_its_own() -> None:
    kept = torch.zeros(1000, device="cuda")
    watch = memory.GpuWatch()
    passing = torch.zeros(1_000_000, device="cuda")
    del passing
    used = watch.read()
    assert used.peak_bytes - used.before_bytes >= 4_000_000
    assert used.after_bytes == used.before_bytes >= kept.nbytes


@pytest.mark.prop(24)
@pytest.mark.parametrize("name", PROFILES)
def test_guests_leave_the_card_and_change_nothing(name: str) -> None:
    whole = observed(assembled(memory="full", verify=False).networks)
    made = assembled(memory=name, verify=False)
    for part, modules in assembly.parts(made.networks).items():
        kinds = {one.device.type for module in modules for one in module.parameters()}
        assert kinds == {"cpu" if part in PROFILES[name].guests else "cuda"}
    seen = observed(made.networks)
    level = torch.cuda.memory_allocated()
    again = observed(made.networks)
    assert torch.cuda.memory_allocated() == level
    assert np.array_equal(seen.picture, again.picture)
    assert deviation(whole, seen).step_error < (0.05 if PROFILES[name].int8 else 1e-3)


def test_the_card_s_own_attention_or_torch_s() -> None:
    assert assembled().told()["attention"] in {"sdpa", "xformers"}
