import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from handlers.diffusion import convert, tensor_file
from handlers.diffusion.checkpoint import read_weights
from handlers.diffusion.networks import garment_unet, unused_keys
from handlers.diffusion.repository import IDM_VTON, BadCheckpoint, Repository
from handlers.diffusion.weights import load_into
from tests.handlers.torchserve_rows import ROOT

TINY = ROOT / "tests" / "fixtures" / "idm_vton" / "tiny-idm-vton"
NEVER_USED = ("add_embedding.", "conv_norm_out.", "conv_out.", "up_blocks.2.")


def converted(folder: Path, dtype: torch.dtype, source: Path = TINY) -> Repository:
    convert.convert(source, folder / "copy", dtype, lambda _line: None)
    return Repository.open(folder / "copy")


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_copy_in_full_precision_holds_the_same_bits(tmp_path: Path) -> None:
    source, copy = Repository.open(TINY), converted(tmp_path, torch.float32)
    for part in IDM_VTON:
        expected = source.weights(part)
        if part == "unet_encoder":
            expected = {k: v for k, v in expected.items() if not k.startswith(NEVER_USED)}
            assert len(expected) < len(source.weights(part))
        assert same(copy.weights(part), expected), part


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_half_precision_copy_keeps_the_autoencoder_in_full(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    source, copy = Repository.open(TINY), converted(tmp_path, dtype)
    for part in IDM_VTON:
        wanted = torch.float32 if part == "vae" else dtype
        read = copy.weights(part)
        assert {tensor.dtype for tensor in read.values()} == {wanted}
        full = source.weights(part)
        assert same(read, {name: full[name].to(wanted) for name in read})


def test_an_autoencoder_that_stands_half_precision_gets_it(tmp_path: Path) -> None:
    source = Path(shutil.copytree(TINY, tmp_path / "source"))
    config = source / "vae" / "config.json"
    config.write_text(config.read_text().replace('"force_upcast": true', '"force_upcast": false'))
    read = converted(tmp_path, torch.float16, source).weights("vae")
    assert {tensor.dtype for tensor in read.values()} == {torch.float16}


def test_a_copy_loads_into_its_networks(tmp_path: Path) -> None:
    copy = converted(tmp_path, torch.float16)
    config = copy.config("unet_encoder")
    with torch.device("meta"):
        unet = garment_unet(config)
    file = copy.weight_file("unet_encoder")
    load_into(unet, copy.weights("unet_encoder"), file, ignore=unused_keys(config, unet))
    assert not any(parameter.is_meta for parameter in unet.parameters())


def test_what_lies_beside_the_weights_comes_along(tmp_path: Path) -> None:
    copy = converted(tmp_path, torch.float16)
    for name in ("model_index.json", "tokenizer_2/merges.txt", "scheduler/scheduler_config.json"):
        assert (copy.path / name).read_bytes() == (TINY / name).read_bytes()
    listed = json.loads((copy.path / "manifest.json").read_text())
    held = {file.relative_to(copy.path).as_posix() for file in copy.path.rglob("*.*")}
    assert listed.keys() == held - {"manifest.json"}


def test_a_copy_of_a_copy_is_the_same(tmp_path: Path) -> None:
    first = converted(tmp_path, torch.float16)
    second = converted(tmp_path / "again", torch.float16, first.path)
    for name in ("manifest.json", "unet/diffusion_pytorch_model.safetensors"):
        assert (first.path / name).read_bytes() == (second.path / name).read_bytes()


@pytest.mark.parametrize("name", ["unet/diffusion_pytorch_model.safetensors", "vae/config.json"])
def test_one_flipped_bit_is_named_at_the_next_start(name: str, tmp_path: Path) -> None:
    file = converted(tmp_path, torch.float16).path / name
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(BadCheckpoint, match="not the bytes that") as caught:
        Repository.open(tmp_path / "copy")
    assert str(file) in str(caught.value)


def test_a_file_that_the_manifest_does_not_know_is_named(tmp_path: Path) -> None:
    copy = converted(tmp_path, torch.float16)
    listed = json.loads((copy.path / "manifest.json").read_text())
    del listed["vae/config.json"]
    (copy.path / "manifest.json").write_text(json.dumps(listed))
    with pytest.raises(BadCheckpoint, match=r"vae/config\.json: not listed"):
        Repository.open(copy.path)


def test_nothing_is_left_of_a_conversion_that_failed(tmp_path: Path) -> None:
    source = Path(shutil.copytree(TINY, tmp_path / "source"))
    weights = Repository(source).weights("image_encoder")  # the last part
    name = next(iter(weights))
    broken = weights | {name: torch.full_like(weights[name], torch.nan)}
    save_file(broken, source / "image_encoder" / "model.safetensors")
    (tmp_path / "copy.part").mkdir()  # of a run that was killed
    with pytest.raises(BadCheckpoint, match=rf"image_encoder/.*: {name} is not finite"):
        converted(tmp_path, torch.float32, source)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_number_beyond_half_precision_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="large is not finite"):
        tensor_file.write(
            tmp_path / "model.safetensors", {"large": torch.tensor([7e4])}, torch.float16
        )


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    given = {"ids": torch.arange(3), "scale": torch.tensor(0.5), "none": torch.zeros(0, 2)}
    tensor_file.write(file, given, torch.bfloat16)
    read = read_weights(file)
    assert same(read, {name: value.to(read[name].dtype) for name, value in given.items()})
    assert read["ids"].dtype == torch.int64
    assert read["scale"].dtype == torch.bfloat16


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert.main([str(tmp_path / "nowhere"), str(tmp_path / "copy")]) == 1
    assert "nowhere: no such folder" in capsys.readouterr().err
    assert convert.main([str(TINY), str(tmp_path)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_the_command_converts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert.main([str(TINY), str(tmp_path / "copy"), "--dtype", "bfloat16"]) == 0
    assert "6/6 image_encoder" in capsys.readouterr().err
    Repository.open(tmp_path / "copy")
