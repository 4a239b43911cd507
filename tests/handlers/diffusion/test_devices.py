"""Nothing is left behind on the CPU: what a GPU would refuse, torch's meta device refuses, too."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from handlers.diffusion import denoising, latents, mixing
from handlers.diffusion.noise import SeededNoise
from tests.handlers.diffusion import tiny

ELSEWHERE = torch.device("meta")


def move(module: nn.Module, dtype: torch.dtype) -> None:
    """Give the module weights and buffers elsewhere, without values."""
    state = module.state_dict() | dict(module.named_buffers())
    moved = {name: tensor.to(ELSEWHERE) for name, tensor in state.items()}
    for part_name, part in module.named_modules():
        for name in part._buffers:
            part._buffers[name] = moved[f"{part_name}.{name}".lstrip(".")]
    module.load_state_dict({name: moved[name] for name in module.state_dict()}, assign=True)
    module.to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("case_name", ["app_b1_ddpm", "app_b1_ddim", "app_b1_nocfg"])
@pytest.mark.parametrize("strength", [0.5, 1.0])
@torch.inference_mode()
def test_a_whole_run_stays_on_its_device(
    dtype: torch.dtype, case_name: str, strength: float
) -> None:
    here, case = tiny.fresh_networks(), tiny.case(case_name)
    for module in (here.tryon, here.garment, here.image_encoder, *here.text_encoders):
        move(module, dtype)
    move(here.vae, torch.float32)
    nets = replace(here, device=ELSEWHERE, dtype=dtype)
    noise = SeededNoise([1])
    plan = replace(case.plan(), strength=strength)
    run = denoising.prepare(nets, case.person(nets), case.garment(nets), plan, noise)
    painted = mixing.denoise(nets, run, noise, lambda _step: None)
    assert painted.device == ELSEWHERE
    assert painted.dtype == torch.float32
    assert latents.decode(nets, painted).device == ELSEWHERE
