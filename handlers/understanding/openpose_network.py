"""OpenPose's body network (Cao et al. 2017): a VGG front, then six stages that correct each other.

Layers bear the names of the published `body_pose_model.pth`. CMU licenses these weights for
academic, non-commercial use only (LicenseRef-CMU-OpenPose).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

_STAGES: Final = (2, 3, 4, 5, 6)  # after the first
_WIDE_KERNEL: Final = 7
_BRANCHES: Final = {"L1": 38, "L2": 19}  # affinity fields, heat maps (18 joints, background)
_WIDENINGS: Final = (
    ("conv1_1", "conv1_2"),
    ("conv2_1", "conv2_2"),
    ("conv3_1", "conv3_2", "conv3_3", "conv3_4"),
    ("conv4_1", "conv4_2"),
)
"""The front's blocks: each begins at half the resolution of the last, with twice the channels."""


class Sizes(NamedTuple):
    """Channels of the first block and of the stages; the published ones unless told otherwise."""

    width: int = 64
    features: int = 128

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> "Sizes":
        """Read the sizes off a checkpoint; raises KeyError for a name that is missing."""
        return cls(len(state["conv1_1.weight"]), len(state["conv4_4_CPM.weight"]))


class OpenPoseBody(nn.Module):
    """Heat maps and part affinity fields of a picture, an eighth of its size."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        inputs, features = 3, sizes.features
        for block, names in enumerate(_WIDENINGS):
            for name in names:
                self._add(name, inputs, sizes.width << block, 3)
                inputs = sizes.width << block
        self._add("conv4_3_CPM", inputs, 2 * features, 3)
        self._add("conv4_4_CPM", 2 * features, features, 3)
        for branch, outputs in _BRANCHES.items():
            for index in (1, 2, 3):
                self._add(f"conv5_{index}_CPM_{branch}", features, features, 3)
            self._add(f"conv5_4_CPM_{branch}", features, 4 * features, 1)
            self._add(f"conv5_5_CPM_{branch}", 4 * features, outputs, 1)
        for stage in _STAGES:
            for branch, outputs in _BRANCHES.items():
                self._add_stage(f"stage{stage}_{branch}", features, outputs)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Give heat (N, 19, h/8, w/8) and affinity (N, 38, h/8, w/8) of (N, 3, h, w) planes."""
        x = picture
        for block, names in enumerate(_WIDENINGS):
            x = self._chain(functional.max_pool2d(x, 2) if block else x, names)
        x = features = self._chain(x, ("conv4_3_CPM", "conv4_4_CPM"))
        affinity, heat = (
            self._branch(x, [f"conv5_{index}_CPM_{branch}" for index in range(1, 6)])
            for branch in _BRANCHES
        )
        for stage in _STAGES:
            x = torch.cat([affinity, heat, features], 1)
            affinity, heat = (
                self._branch(x, [f"Mconv{index}_stage{stage}_{branch}" for index in range(1, 8)])
                for branch in _BRANCHES
            )
        return heat, affinity

    def _add(self, name: str, inputs: int, outputs: int, kernel: int) -> None:
        self.add_module(name, nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2))

    def _add_stage(self, suffix: str, features: int, outputs: int) -> None:
        inputs = features + sum(_BRANCHES.values())
        for index in range(1, 6):
            self._add(f"Mconv{index}_{suffix}", inputs, features, _WIDE_KERNEL)
            inputs = features
        self._add(f"Mconv6_{suffix}", features, features, 1)
        self._add(f"Mconv7_{suffix}", features, outputs, 1)

    def _chain(self, x: Tensor, names: tuple[str, ...] | list[str]) -> Tensor:
        for name in names:
            x = functional.relu(self.get_submodule(name)(x))
        return x

    def _branch(self, x: Tensor, names: list[str]) -> Tensor:
        """Run layers of which the last is not rectified."""
        last: Tensor = self.get_submodule(names[-1])(self._chain(x, names[:-1]))
        return last
