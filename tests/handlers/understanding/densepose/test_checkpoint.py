"""Published pickles load; whatever else a pickle may hold is refused by name."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.understanding.densepose import checkpoint
from tests.handlers.understanding.densepose import tiny


class Runs:
    """Unpickling it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def refusal(file: Path) -> str:
    with pytest.raises(BadCheckpoint) as caught:
        checkpoint.load(file, tiny.INPUT_SIZE, "cpu")
    assert str(caught.value).startswith(f"{file}: ")
    return str(caught.value).removeprefix(f"{file}: ")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_kind_of_pickle_loads(tmp_path: Path, protocol: int) -> None:
    file = tiny.saved(tmp_path / "model.pkl", protocol)
    network = checkpoint.load(file, tiny.INPUT_SIZE, "cpu")
    given = tiny.state()
    assert all(np.array_equal(own, given[name]) for name, own in network.state_dict().items())


def test_safetensors_load_as_well(tmp_path: Path) -> None:
    tensors = {name: torch.from_numpy(values) for name, values in tiny.state().items()}
    save_file(tensors, tmp_path / "model.safetensors")
    network = checkpoint.load(tmp_path / "model.safetensors", tiny.INPUT_SIZE, "cpu")
    assert all(torch.equal(tensors[name], own) for name, own in network.state_dict().items())


def test_names_of_old_checkpoints_are_passed_over(tmp_path: Path) -> None:
    strays = {
        "pixel_mean": np.zeros((3, 1, 1), np.float32),
        "proposal_generator.anchor_generator.cell_anchors.0": np.zeros((3, 4), np.float32),
    }
    file = tiny.saved(tmp_path / "model.pkl", model=tiny.state() | strays)
    checkpoint.load(file, tiny.INPUT_SIZE, "cpu")


def test_code_in_a_pickle_is_named_and_not_run(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    file = tiny.saved(tmp_path / "model.pkl", extra=Runs(planted))
    assert refusal(file) == "refused, it asks for posix.mkdir"
    assert not planted.exists()


def test_a_class_that_is_no_array_is_named(tmp_path: Path) -> None:
    file = tiny.saved(tmp_path / "model.pkl", where=Path("x"))
    assert "pathlib" in refusal(file)


@pytest.mark.parametrize(
    ("name", "value"),
    [("words", np.array(["a"])), ("objects", np.array([None])), ("a list", [1.0])],
)
def test_a_value_that_is_no_array_of_numbers_is_named(
    tmp_path: Path, name: str, value: object
) -> None:
    file = tiny.saved(tmp_path / "model.pkl", model=tiny.state() | {name: value})
    assert refusal(file) == f"{name!r} is no array of numbers"


@pytest.mark.parametrize("name", ["backbone.fpn_lateral2.weight", "roi_heads.decoder.p4.2.bias"])
def test_a_missing_key_is_named(tmp_path: Path, name: str) -> None:
    state = tiny.state()
    state[f"{name}s"] = state.pop(name)
    assert refusal(tiny.saved(tmp_path / "model.pkl", model=state)).startswith(f"lacks {name}")


def test_a_wrong_shape_is_named(tmp_path: Path) -> None:
    state = tiny.state()
    state["roi_heads.box_predictor.cls_score.bias"] = np.zeros(5, np.float32)
    refused = refusal(tiny.saved(tmp_path / "model.pkl", model=state))
    assert "roi_heads.box_predictor.cls_score.bias is 5, expected 2" in refused


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_cut_off_file_is_named(tmp_path: Path, protocol: int, share: float) -> None:
    file = tiny.saved(tmp_path / "model.pkl", protocol)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    assert refusal(file)


@pytest.mark.parametrize("content", [b"<!doctype html>", b"\x00" * 64, pickle.dumps([1, 2])])
def test_a_foreign_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(content)
    assert refusal(file)


@pytest.mark.parametrize("name", ["model.pkl", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path / name) == "missing"
