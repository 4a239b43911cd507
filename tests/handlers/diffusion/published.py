"""A repository in the published layout with random weights, of any size."""

import inspect
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    PreTrainedModel,
)

from handlers.diffusion import networks
from handlers.diffusion.resampler import Sizes
from tests.handlers.diffusion import tiny

TOKENIZERS = ("tokenizer", "tokenizer_2")


@dataclass(frozen=True)
class Shape:
    """What may differ between repositories; the defaults differ from the shipped goldens'."""

    channels: tuple[int, ...] = (16, 32, 32)
    heads: tuple[int, ...] = (2, 2, 4)
    depths: tuple[int, ...] = (1, 2, 1)
    text: tuple[int, int] = (16, 24)
    picture: int = 48
    resampler_width: int = 24
    resampler_heads: int = 3
    resampler_depth: int = 2
    queries: int = 5
    vae: tuple[int, ...] = (8, 16, 16)

    @property
    def context(self) -> int:
        return sum(self.text)


def write(folder: Path, shape: Shape, seed: int = 0) -> Path:
    """Write the repository and give its folder."""
    torch.manual_seed(seed)
    _unets(folder, shape)
    vae = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * len(shape.vae),
        up_block_types=["UpDecoderBlock2D"] * len(shape.vae),
        block_out_channels=shape.vae,
        norm_num_groups=4,
        scaling_factor=0.13025,
    )
    _randomised(vae).save_pretrained(folder / "vae")
    _text(CLIPTextModel, shape.text[0], folder / "text_encoder")
    _text(CLIPTextModelWithProjection, shape.text[1], folder / "text_encoder_2")
    vision = CLIPVisionConfig(
        hidden_size=shape.picture,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=224,
        patch_size=32,
        projection_dim=16,
    )
    _randomised(CLIPVisionModelWithProjection(vision)).save_pretrained(folder / "image_encoder")
    for part in (*TOKENIZERS, "scheduler"):
        (folder / part).mkdir()
        for file in (tiny.REPOSITORY / part).iterdir():
            (folder / part / file.name).write_bytes(file.read_bytes())
    return folder


def _unets(folder: Path, shape: Shape) -> None:
    shipped = json.loads((tiny.REPOSITORY / "unet" / "config.json").read_text())
    config = shipped | {
        "block_out_channels": shape.channels,
        "attention_head_dim": shape.heads,
        "transformer_layers_per_block": shape.depths,
        "cross_attention_dim": shape.context,
        "encoder_hid_dim": shape.picture,
        "projection_class_embeddings_input_dim": shape.text[1] + 6 * 8,
    }
    sizes = Sizes(
        shape.picture,
        shape.resampler_width,
        64 * shape.resampler_heads,
        4 * shape.resampler_width,
        shape.context,
        shape.queries,
        shape.resampler_depth,
    )
    state = _randomised(networks.tryon_unet(config, sizes)).state_dict()
    _write(folder / "unet", config)
    torch.save(state, folder / "unet" / "diffusion_pytorch_model.bin")
    garment = {**config, "in_channels": 4, "encoder_hid_dim": None, "encoder_hid_dim_type": None}
    del garment["addition_embed_type"]
    _write(folder / "unet_encoder", garment)
    known = inspect.signature(UNet2DConditionModel.__init__).parameters
    whole = UNet2DConditionModel(**{name: garment[name] for name in garment if name in known})
    weights = _randomised(whole).state_dict()
    weights["add_embedding.linear_1.weight"] = torch.zeros(4, 4)
    save_file(weights, folder / "unet_encoder" / "diffusion_pytorch_model.safetensors")


def _text(kind: type[PreTrainedModel], width: int, folder: Path) -> None:
    shipped = json.loads((tiny.REPOSITORY / "text_encoder" / "config.json").read_text())
    config = shipped | {"hidden_size": width, "projection_dim": width, "intermediate_size": 32}
    model = _randomised(kind(CLIPTextConfig(**config)))
    model.save_pretrained(folder)


def _write(folder: Path, config: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))


def _randomised(module: nn.Module) -> Any:  # noqa: ANN401  diffusers' and transformers' own
    """Give norms and biases values of their own, too, so that leaving one out shows."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module
