"""SDXL's folder: opened, loaded and converted like IDM-VTON's, and refused as precisely."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from handlers import fetch
from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.diffusion.convert import convert
from handlers.diffusion.loading import load_sdxl
from handlers.diffusion.repository import IDM_VTON, SDXL, Repository, networks_at
from tests.handlers.diffusion import tiny, tiny_sdxl

CPU = torch.device("cpu")
UNET = "unet/diffusion_pytorch_model.safetensors"
EVERY_FILE = [
    file.relative_to(tiny_sdxl.repository()).as_posix()
    for file in Repository(tiny_sdxl.repository(), SDXL).files()
]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository to spoil."""
    return tiny_sdxl.write(tmp_path / "sdxl")


def opened(path: Path) -> Repository:
    return Repository.open(path, SDXL)


def loaded(path: Path, dtype: torch.dtype = torch.float32) -> None:
    load_sdxl(opened(path), CPU, dtype)


def change(file: Path, **changes: Any) -> None:  # noqa: ANN401  any setting
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_each_layout_is_told_by_its_index(repository: Path, tmp_path: Path) -> None:
    assert networks_at(repository) == SDXL
    assert networks_at(tiny.REPOSITORY) == networks_at(tmp_path) == IDM_VTON


@pytest.mark.parametrize("file", EVERY_FILE)
def test_a_missing_file_is_named(repository: Path, file: str) -> None:
    (repository / file).unlink()
    with pytest.raises(BadCheckpoint, match=f"missing: .*{Path(file).name}"):
        opened(repository)


@pytest.mark.parametrize(
    ("file", "key"),
    [
        (UNET, "conv_in.weight"),
        ("vae/diffusion_pytorch_model.safetensors", "quant_conv.weight"),
        ("text_encoder/model.safetensors", "final_layer_norm.weight"),
        ("text_encoder_2/model.safetensors", "text_projection.weight"),
    ],
)
def test_a_missing_key_is_named_with_its_file(repository: Path, file: str, key: str) -> None:
    state = load_file(repository / file)
    whole = next(name for name in state if name.endswith(key))
    del state[whole]
    save_file(state, repository / file)
    with pytest.raises(BadCheckpoint) as refused:
        loaded(repository)
    assert file in str(refused.value)
    assert key in str(refused.value)


def test_a_truncated_file_is_named(repository: Path) -> None:
    data = (repository / UNET).read_bytes()
    (repository / UNET).write_bytes(data[: len(data) // 2])
    with pytest.raises(BadCheckpoint, match=f"{UNET}: truncated"):
        opened(repository)


@pytest.mark.parametrize(
    ("file", "changes", "named"),
    [
        ("unet/config.json", {"in_channels": 9}, "in_channels is 9, expected 4"),
        ("unet/config.json", {"down_block_types": ["No"] * 2}, "describes no such network"),
        (
            "scheduler/scheduler_config.json",
            {"prediction_type": "v_prediction"},
            "prediction_type is v_prediction, expected epsilon",
        ),
    ],
)
def test_a_relative_that_this_is_not_is_named(
    repository: Path, file: str, changes: dict[str, Any], named: str
) -> None:
    change(repository / file, **changes)
    with pytest.raises(BadCheckpoint) as refused:
        loaded(repository)
    assert file in str(refused.value)
    assert named in str(refused.value)


def test_half_precision_alone_is_enough(repository: Path) -> None:
    whole = repository / UNET
    halved = {name: tensor.half() for name, tensor in load_file(whole).items()}
    save_file(halved, whole.with_name("diffusion_pytorch_model.fp16.safetensors"))
    whole.unlink()
    loaded(repository, torch.float16)


def test_a_converted_copy_draws_as_well(repository: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    convert(repository, copy, torch.float16, lambda _line: None)
    assert networks_at(copy) == SDXL
    state = load_file(copy / UNET)
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    loaded(copy, torch.float16)
    (copy / UNET).write_bytes((copy / UNET).read_bytes()[:-1] + b"\1")
    with pytest.raises(BadCheckpoint, match=f"{UNET}: not the bytes"):
        opened(copy)


def test_the_autoencoder_stays_whole_and_nothing_learns() -> None:
    nets = load_sdxl(opened(tiny_sdxl.repository()), CPU, torch.float16)
    assert {one.dtype for one in nets.vae.parameters()} == {torch.float32}
    halves = (nets.unet, *nets.text_encoders)
    assert {one.dtype for net in halves for one in net.parameters()} == {torch.float16}
    assert not any(one.requires_grad for net in (*halves, nets.vae) for one in net.parameters())
    assert nets.grain_px == 16


def test_what_is_fetched_is_all_that_is_needed(repository: Path) -> None:
    (source,) = fetch.sources()["sdxl"]
    for part in ("unet", "text_encoder", "text_encoder_2"):
        (whole,) = (repository / part).glob("*.safetensors")
        whole.rename(whole.with_suffix(".fp16.safetensors"))
    wanted = {file for pattern in source.files for file in repository.glob(pattern)}
    for file in set(repository.rglob("*.*")) - wanted:
        file.unlink()
    assert networks_at(repository) == SDXL
    loaded(repository)
