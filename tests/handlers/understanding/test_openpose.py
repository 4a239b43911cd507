"""OpenPose's network in the published layout, only smaller, and its way from photo to joints."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.understanding.openpose import OpenPoseEstimator
from handlers.understanding.openpose_network import OpenPoseBody, Sizes
from handlers.vision import openpose_people
from handlers.vision.openpose_frame import Frame
from tests.handlers.understanding.densepose import tiny

TINY = Sizes(width=4, features=8)


def state() -> dict[str, Tensor]:
    """Random weights that neither fade nor grow on their way."""
    generator = torch.Generator().manual_seed(0)
    network = OpenPoseBody(TINY)
    return {
        name: torch.randn(tensor.shape, generator=generator) * scale(tensor)
        for name, tensor in network.state_dict().items()
    }


def scale(tensor: Tensor) -> float:
    return 1.6 / tensor[0].numel() ** 0.5 if tensor.ndim > 1 else 0.2


def saved(file: Path, tensors: object, *, old: bool = True) -> Path:
    torch.save(tensors, file, _use_new_zipfile_serialization=not old)
    return file


def refusal(file: Path) -> str:
    with pytest.raises(BadCheckpoint) as caught:
        OpenPoseEstimator(file, 0.0, "cpu")
    assert str(caught.value).startswith(f"{file}: ")
    return str(caught.value).removeprefix(f"{file}: ")


def test_the_published_network_has_52_million_weights_in_92_layers() -> None:
    with torch.device("meta"):
        network = OpenPoseBody(Sizes())
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert len(shapes) == 2 * 92
    assert sum(tensor.numel() for tensor in network.parameters()) == 52_311_446
    assert shapes["conv4_3_CPM.weight"] == (256, 512, 3, 3)
    assert shapes["conv5_5_CPM_L1.weight"] == (38, 512, 1, 1)
    assert shapes["Mconv1_stage2_L2.weight"] == (128, 185, 7, 7)
    assert shapes["Mconv7_stage6_L2.weight"] == (19, 128, 1, 1)


def test_both_fields_are_an_eighth_of_the_picture() -> None:
    heat, affinity = OpenPoseBody(TINY)(torch.zeros(2, 3, 64, 48))
    assert heat.shape == (2, 19, 8, 6)
    assert affinity.shape == (2, 38, 8, 6)


def test_fields_may_be_negative() -> None:
    network = OpenPoseBody(TINY)
    network.load_state_dict(state())
    for field in network(torch.randn(1, 3, 64, 48)):
        assert field.min() < 0 < field.max()


@pytest.mark.parametrize("old", [True, False])
def test_joints_are_those_of_the_networks_fields(tmp_path: Path, *, old: bool) -> None:
    file = saved(tmp_path / "body_pose_model.pth", state(), old=old)
    photo = tiny.photo(512, 384)
    network = OpenPoseBody(TINY)
    network.load_state_dict(state())
    frame = Frame.of(384, 512)
    with torch.no_grad():
        heat, affinity = network(torch.from_numpy(frame.network_input(photo)))
    bodies = openpose_people.decode(heat[0].numpy(), affinity[0].numpy(), frame)
    found = OpenPoseEstimator(file, 0.0, "cpu").keypoints(photo)
    assert len(bodies.candidates)
    assert np.allclose(found, openpose_people.largest(bodies), atol=1e-4)


def test_joints_lie_in_the_photos_own_pixels(tmp_path: Path) -> None:
    estimator = OpenPoseEstimator(saved(tmp_path / "model.pth", state()), 0.0, "cpu")
    photo = tiny.photo(512, 384)
    twice = np.kron(photo, np.ones((2, 2, 1), np.uint8))
    small, large = estimator.keypoints(photo), estimator.keypoints(twice)
    assert small.any()
    assert np.allclose(large[:, :2], 2 * small[:, :2], atol=0.1)


def test_a_joint_below_the_least_score_is_missing(tmp_path: Path) -> None:
    file = saved(tmp_path / "model.pth", state())
    assert not OpenPoseEstimator(file, 1e6, "cpu").keypoints(tiny.photo(512, 384)).any()


def test_a_photo_of_nobody_has_no_joints(tmp_path: Path) -> None:
    nothing = {name: torch.zeros_like(tensor) for name, tensor in state().items()}
    estimator = OpenPoseEstimator(saved(tmp_path / "model.pth", nothing), 0.0, "cpu")
    assert not estimator.keypoints(tiny.photo(64, 4000)).any()


@pytest.mark.parametrize("name", ["conv1_1.weight", "Mconv7_stage6_L2.bias"])
def test_a_missing_key_is_named(tmp_path: Path, name: str) -> None:
    tensors = state()
    tensors[f"model0.{name}"] = tensors.pop(name)
    assert refusal(saved(tmp_path / "model.pth", tensors)).startswith(f"lacks {name}")


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_cut_off_file_is_named(tmp_path: Path, share: float, *, old: bool) -> None:
    file = saved(tmp_path / "model.pth", state(), old=old)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    assert refusal(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "model.pth") == "missing"


class Runs:
    """Unpickling it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("old", [True, False])
def test_code_in_a_file_is_not_run(tmp_path: Path, *, old: bool) -> None:
    planted = tmp_path / "planted"
    assert refusal(saved(tmp_path / "model.pth", {"x": Runs(planted)}, old=old))
    assert not planted.exists()


@pytest.mark.parametrize("content", [[1, 2], {"conv1_1.weight": 3}])
def test_a_file_of_other_things_is_named(tmp_path: Path, content: object) -> None:
    assert refusal(saved(tmp_path / "model.pth", content)) == "expected tensors by name"
