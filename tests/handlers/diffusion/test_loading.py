import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.diffusion.loading import load
from handlers.diffusion.repository import Repository
from tests.handlers.diffusion import tiny

UNET = "unet/diffusion_pytorch_model.bin"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the tiny repository to spoil."""
    copy = tmp_path / "repository"
    shutil.copytree(tiny.REPOSITORY, copy)
    for file in copy.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    return copy


def loaded(path: Path) -> None:
    load(Repository.open(path), torch.device("cpu"), torch.float32)


def rename(file: Path, old: str, new: str) -> None:
    pickled = file.suffix == ".bin"
    state: dict[str, Any] = torch.load(file, weights_only=True) if pickled else load_file(file)
    state[new] = state.pop(old)
    torch.save(state, file) if pickled else save_file(state, file)


@pytest.mark.parametrize(
    ("file", "key"),
    [
        (UNET, "conv_in.weight"),
        (UNET, "encoder_hid_proj.proj_in.weight"),
        (UNET, "encoder_hid_proj.layers.1.0.to_kv.weight"),
        (UNET, "mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_ip.weight"),
        ("unet_encoder/diffusion_pytorch_model.safetensors", "conv_in.bias"),
        ("vae/diffusion_pytorch_model.safetensors", "quant_conv.weight"),
        ("text_encoder/model.safetensors", "text_model.final_layer_norm.weight"),
        ("text_encoder_2/model.safetensors", "text_projection.weight"),
        ("image_encoder/model.safetensors", "visual_projection.weight"),
    ],
)
def test_a_renamed_key_is_named_with_its_file(repository: Path, file: str, key: str) -> None:
    rename(repository / file, key, f"{key}.old")
    with pytest.raises(BadCheckpoint) as refused:
        loaded(repository)
    assert file in str(refused.value)
    assert key.removeprefix("text_model.") in str(refused.value)


def test_a_configuration_of_another_network_is_named(repository: Path) -> None:
    file = repository / "unet_encoder" / "config.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "down_block_types": ["NoSuchBlock"] * 3}))
    with pytest.raises(
        BadCheckpoint, match=r"unet_encoder.config\.json: describes no such network"
    ):
        loaded(repository)


def test_a_wider_network_than_its_weights_is_refused(repository: Path) -> None:
    file = repository / "unet" / "config.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "block_out_channels": [16, 32, 48]}))
    with pytest.raises(BadCheckpoint, match=r"unet.diffusion_pytorch_model\.bin: .*wrong shape"):
        loaded(repository)


def test_an_unreadable_vocabulary_is_named(repository: Path) -> None:
    (repository / "tokenizer_2" / "vocab.json").write_text("[]")
    with pytest.raises(BadCheckpoint, match="tokenizer_2"):
        loaded(repository)


def test_published_weights_may_hold_more_than_is_used() -> None:
    file = tiny.REPOSITORY / "unet_encoder" / "diffusion_pytorch_model.safetensors"
    surplus = {key.partition(".")[0] for key in load_file(file)}
    assert "add_embedding" in surplus
    assert not hasattr(tiny.networks().garment, "add_embedding")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_leaves_the_autoencoder_whole(dtype: torch.dtype) -> None:
    nets = load(Repository.open(tiny.REPOSITORY), torch.device("cpu"), dtype)
    assert {one.dtype for one in nets.vae.parameters()} == {torch.float32}
    halves = (nets.tryon, nets.garment, nets.image_encoder, *nets.text_encoders)
    assert {one.dtype for net in halves for one in net.parameters()} == {dtype}


def test_nothing_that_is_loaded_learns() -> None:
    nets = tiny.networks()
    whole = (nets.tryon, nets.garment, nets.vae, nets.image_encoder, *nets.text_encoders)
    assert not any(one.requires_grad for net in whole for one in net.parameters())
    assert not any(net.training for net in whole)
    assert not any(one.is_meta for net in whole for one in (*net.parameters(), *net.buffers()))
