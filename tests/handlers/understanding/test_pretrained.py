"""A folder that is not whole is refused, by the name of the file and of the key."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.understanding.segformer import SegformerParser
from tests.handlers.understanding import tiny_pretrained
from tests.handlers.understanding.densepose import tiny

KEY = "decode_head.classifier.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_pretrained.segformer(tmp_path / "segformer")


def refusal(folder: Path) -> str:
    with pytest.raises(BadCheckpoint) as caught:
        SegformerParser(folder, "cpu")
    return str(caught.value)


def rewritten(folder: Path, change: Callable[[dict[str, Tensor]], None]) -> Path:
    file = folder / "model.safetensors"
    state = load_file(file)
    change(state)
    save_file(state, file, {"format": "pt"})
    return file


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere") == f"{tmp_path / 'nowhere'}: no such folder"


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert refusal(folder) == f"{folder / name}: missing"


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_cut_off_file_is_named(folder: Path, name: str) -> None:
    file = folder / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert refusal(folder).startswith(f"{file}: ")


def test_another_kind_of_model_is_named(folder: Path) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_type": "bert"}))
    assert refusal(folder) == f"{file}: model_type is 'bert', expected 'segformer'"


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [("config.json", {"hidden_sizes": "wide"}), ("preprocessor_config.json", {"size": "large"})],
)
def test_a_setting_that_makes_no_sense_is_blamed_on_its_file(
    folder: Path, name: str, nonsense: dict[str, str]
) -> None:
    file = folder / name
    file.write_text(json.dumps(json.loads(file.read_text()) | nonsense))
    assert refusal(folder).startswith(f"{file}: ")


def test_a_renamed_key_is_named(folder: Path) -> None:
    file = rewritten(folder, lambda state: state.update({f"{KEY}s": state.pop(KEY)}))
    assert refusal(folder) == f"{file}: lacks {KEY}"


def test_a_wrong_shape_is_named(folder: Path) -> None:
    file = rewritten(folder, lambda state: state.update({KEY: torch.zeros(2, 3)}))
    assert refusal(folder).startswith(f"{file}: has a wrong shape: {KEY} is (2, 3), expected (18,")


def test_a_pickle_of_tensors_serves_where_no_safetensors_lie(folder: Path) -> None:
    photo = tiny.photo(64, 64)
    before = SegformerParser(folder, "cpu").parse(photo)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert (SegformerParser(folder, "cpu").parse(photo) == before).all()


def test_a_pickle_of_anything_else_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({KEY: Path("x")}, folder / "pytorch_model.bin")
    assert refusal(folder).startswith(f"{folder / 'pytorch_model.bin'}: ")
