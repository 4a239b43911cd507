"""Key points by OpenPose's body model, without its repository."""

import pickle
import zipfile
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handlers.diffusion import manifest
from handlers.diffusion.checkpoint import BadCheckpoint, read_weights
from handlers.diffusion.weights import load_into
from handlers.understanding.openpose_network import OpenPoseBody, Sizes
from handlers.vision import openpose_people
from handlers.vision.openpose_frame import Frame

_HEIGHT_PX: Final = 512  # at which joints are looked for …
_MAX_WIDTH_PX: Final = 1024  # … unless the photo is very wide


class OpenPoseEstimator:
    """A PoseEstimator from `body_pose_model.pth`, whose terms exclude commercial use."""

    def __init__(self, file: Path, min_score: float, device: str) -> None:
        """Load the checkpoint; raises BadCheckpoint naming file and key."""
        manifest.verify(file.parent, (file,))
        state = _read(file)
        try:
            sizes = Sizes.of(state)
        except KeyError as missing:
            raise BadCheckpoint(f"{file}: lacks {missing.args[0]}") from missing
        with torch.device("meta"):
            network = OpenPoseBody(sizes)
        load_into(network, state, file, dtype=torch.float32, device=device)
        self._network, self._device = network.eval(), device
        self._min_score = min_score

    def keypoints(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give (18, 3) of the largest person, all (0, 0, 0) where nobody is found.

        A photo is looked at as the original does: as one of 384x512, here with its own proportions.
        """
        height_px, width_px = rgb.shape[:2]
        scale = min(_HEIGHT_PX / height_px, _MAX_WIDTH_PX / width_px)
        frame = Frame.of(max(1, round(width_px * scale)), max(1, round(height_px * scale)))
        points = openpose_people.largest(openpose_people.decode(*self._fields(rgb, frame), frame))
        points[:, :2] *= (width_px / frame.width_px, height_px / frame.height_px)
        points[points[:, 2] < self._min_score] = 0
        return points

    @torch.inference_mode()
    def _fields(
        self, rgb: NDArray[np.uint8], frame: Frame
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        size = (frame.width_px, frame.height_px)
        filtered = cv2.INTER_AREA if rgb.shape[0] > frame.height_px else cv2.INTER_LANCZOS4
        sized = cv2.resize(rgb, size, interpolation=filtered)
        planes = torch.from_numpy(frame.network_input(sized)).to(self._device)
        heat, affinity = self._network(planes)
        return heat[0].numpy(force=True), affinity[0].numpy(force=True)


def _read(file: Path) -> dict[str, Tensor]:
    """Read tensors by name; the published file is older than torch's zip format."""
    if not file.is_file() or file.suffix == ".safetensors" or zipfile.is_zipfile(file):
        return read_weights(file)
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        told = str(error).partition("\n")[0] or type(error).__name__
        raise BadCheckpoint(f"{file}: truncated, or not written by torch.save ({told})") from error
    if not isinstance(state, dict) or not all(isinstance(x, Tensor) for x in state.values()):
        raise BadCheckpoint(f"{file}: expected tensors by name")
    return state
