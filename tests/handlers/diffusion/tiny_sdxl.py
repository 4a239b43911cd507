"""SDXL in the published layout with random weights, as small as it gets; and its safety checker."""

import atexit
import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    PreTrainedModel,
)

from handlers.diffusion.loading import SdxlNetworks, load_sdxl
from handlers.diffusion.repository import SDXL, Repository
from tests.handlers.diffusion import tiny

# As published with stable-diffusion-xl-base-1.0.
SCHEDULER: Final[dict[str, Any]] = {
    "_class_name": "EulerDiscreteScheduler",
    "_diffusers_version": "0.19.0.dev0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "interpolation_type": "linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "sample_max_value": 1.0,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "trained_betas": None,
    "use_karras_sigmas": False,
}
_TEXT_WIDTHS: Final = (16, 24)
_TOKENIZERS: Final = ("tokenizer", "tokenizer_2")


def write(folder: Path, seed: int = 0) -> Path:
    """Write the repository and give its folder."""
    torch.manual_seed(seed)
    _unet().save_pretrained(folder / "unet")
    _vae().save_pretrained(folder / "vae")
    _text(CLIPTextModel, _TEXT_WIDTHS[0]).save_pretrained(folder / "text_encoder")
    _text(CLIPTextModelWithProjection, _TEXT_WIDTHS[1]).save_pretrained(folder / "text_encoder_2")
    for part in _TOKENIZERS:
        (folder / part).mkdir()
        for file in (tiny.REPOSITORY / part).iterdir():
            (folder / part / file.name).write_bytes(file.read_bytes())
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    index = {"_class_name": "StableDiffusionXLPipeline"}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def write_checker(folder: Path, threshold: float) -> Path:
    """Write a safety checker that blocks what is nearer than `threshold`, a cosine, to a concept.

    It blocks everything at -1 and nothing at 1.
    """
    torch.manual_seed(0)
    size_px = 32
    vision = {
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": size_px,
        "patch_size": 8,
    }
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=16))
    with torch.no_grad():
        checker.concept_embeds.normal_()
        checker.special_care_embeds.normal_()
        checker.concept_embeds_weights.fill_(threshold)
        checker.special_care_embeds_weights.fill_(1.0)
    checker.save_pretrained(folder)
    sizes = {"size": {"shortest_edge": size_px}, "crop_size": size_px}
    CLIPImageProcessorPil(**sizes).save_pretrained(folder)
    return folder


@cache
def repository() -> Path:
    """Give a repository that all tests of a process read."""
    folder = Path(mkdtemp(prefix="tiny-sdxl-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return write(folder)


@cache
def networks() -> SdxlNetworks:
    return fresh_networks()


def fresh_networks() -> SdxlNetworks:
    """Networks of one's own, to be changed."""
    return load_sdxl(Repository.open(repository(), SDXL), torch.device("cpu"), torch.float32)


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
        cross_attention_dim=sum(_TEXT_WIDTHS),
        norm_num_groups=8,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=_TEXT_WIDTHS[1] + 6 * 8,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        scaling_factor=0.13025,
    )


def _text(kind: type[PreTrainedModel], width: int) -> PreTrainedModel:
    shipped = json.loads((tiny.REPOSITORY / "text_encoder" / "config.json").read_text())
    config = shipped | {"hidden_size": width, "projection_dim": width, "intermediate_size": 32}
    return kind(CLIPTextConfig(**config))
