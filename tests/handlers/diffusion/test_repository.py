import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from handlers.diffusion.repository import IDM_VTON, BadCheckpoint, Repository
from tests.handlers.torchserve_rows import ROOT

TINY = ROOT / "tests" / "fixtures" / "idm_vton" / "tiny-idm-vton"
UNET = "unet/diffusion_pytorch_model.bin"
GARMENT = "unet_encoder/diffusion_pytorch_model.safetensors"
EVERY_FILE = [file.relative_to(TINY).as_posix() for file in Repository(TINY).files()]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository of the test's own."""
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])


def becomes(content: bytes) -> Callable[[Path], None]:
    def replace(file: Path) -> None:
        file.write_bytes(content)

    return replace


FAULTS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "truncated": cut,
    "empty": becomes(b""),
    "web page": becomes(b"\n<!DOCTYPE html><html><title>Sign in</title></html>"),
    "git-lfs pointer": becomes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
}


def test_the_published_layout_opens_as_it_is() -> None:
    repository = Repository.open(TINY)
    assert repository.config("unet")["encoder_hid_dim_type"] == "ip_image_proj"
    assert repository.config("scheduler")["rescale_betas_zero_snr"] is True
    assert "encoder_hid_proj.latents" in repository.weights("unet")
    assert all(repository.weights(part) for part in IDM_VTON)
    assert (repository.folder("tokenizer") / "vocab.json").exists()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", [UNET, GARMENT])
def test_weights_that_are_not_whole_are_named_when_the_folder_is_opened(
    name: str, fault: str, copy: Path
) -> None:
    FAULTS[fault](copy / name)
    with pytest.raises(BadCheckpoint, match=fault) as caught:
        Repository.open(copy)
    stem = name.removesuffix(".bin")  # of a missing file the preferred form is named
    assert stem in str(caught.value)


@pytest.mark.parametrize("name", EVERY_FILE)
def test_no_needed_file_may_be_missing(name: str, copy: Path) -> None:
    (copy / name).unlink()
    with pytest.raises(BadCheckpoint, match="missing") as caught:
        Repository.open(copy)
    assert name.removesuffix(".bin") in str(caught.value)


def test_all_missing_files_are_named_at_once(copy: Path) -> None:
    shutil.rmtree(copy / "vae")
    (copy / "tokenizer" / "merges.txt").unlink()
    with pytest.raises(BadCheckpoint) as caught:
        Repository.open(copy)
    for name in ("vae/config.json", "vae/diffusion_pytorch_model", "tokenizer/merges.txt"):
        assert name in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="nowhere: no such folder"):
        Repository.open(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["{", "[1]", '{"error": "not found"'])
def test_a_configuration_that_is_no_json_object_is_named(text: str, copy: Path) -> None:
    (copy / "vae" / "config.json").write_text(text)
    with pytest.raises(BadCheckpoint, match=r"vae/config\.json"):
        Repository.open(copy)


class RunsCode:
    """What a pickle may be: a call."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (str(self.witness),)


def test_a_pickle_that_wants_to_run_code_is_refused(copy: Path, tmp_path: Path) -> None:
    torch.save({"conv_in.weight": RunsCode(tmp_path / "ran")}, copy / UNET)
    with pytest.raises(BadCheckpoint, match=r"unet/.*\.bin: refused"):
        Repository.open(copy).weights("unet")
    (copy / UNET).write_bytes(pickle.dumps(RunsCode(tmp_path / "ran")))
    with pytest.raises(BadCheckpoint, match=r"unet/.*\.bin: .*not written by torch.save"):
        Repository.open(copy)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("value", [[torch.zeros(1)], {"a": 1}, {1: torch.zeros(1)}])
def test_a_pickle_of_something_else_is_refused(value: object, copy: Path) -> None:
    torch.save(value, copy / UNET)
    with pytest.raises(BadCheckpoint, match=r"unet/.*\.bin"):
        Repository.open(copy).weights("unet")


def test_a_hole_in_the_archive_is_named(copy: Path) -> None:
    with zipfile.ZipFile(copy / UNET, "w") as archive:
        archive.writestr("archive/version", "3")
    with pytest.raises(BadCheckpoint, match=r"unet/.*\.bin"):
        Repository.open(copy).weights("unet")


def test_safetensors_are_taken_where_both_are_there(copy: Path) -> None:
    save_file({"the.one": torch.zeros(2)}, copy / "unet" / "diffusion_pytorch_model.safetensors")
    assert set(Repository.open(copy).weights("unet")) == {"the.one"}


def test_the_tensors_are_those_of_the_file() -> None:
    read = Repository.open(TINY).weights("unet_encoder")
    expected = load_file(TINY / GARMENT)
    assert read.keys() == expected.keys()
    assert all(torch.equal(read[name], expected[name]) for name in expected)


def test_a_caller_learns_no_path(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint) as caught:
        Repository.open(tmp_path / "nowhere")
    told = caught.value.as_dict()
    assert told["error_code"] == "ML_4001"
    assert "nowhere" not in str(told)
