"""A ResNet-50 (He et al. 2016) and the feature pyramid over it (Lin et al. 2017)."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

_EPSILON: Final = 1e-5
_STAGES: Final = (2, 3, 4, 5)  # res2 … res5, at strides 4, 8, 16, 32


class FrozenBatchNorm(nn.Module):
    """Batch normalisation whose statistics never change."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=_EPSILON
        )


class NormedConv(nn.Conv2d):
    """A convolution without bias, then its normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = FrozenBatchNorm(outputs)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's name
        """Give (N, outputs, H / stride, W / stride)."""
        normed: Tensor = self.norm(super().forward(input))
        return normed


class Stem(nn.Module):
    """The first quarter of the resolution goes here."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = NormedConv(3, width, 7, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Give (N, width, H / 4, W / 4)."""
        return functional.max_pool2d(
            functional.relu(self.conv1(x)), kernel_size=3, stride=2, padding=1
        )


class Bottleneck(nn.Module):
    """Three convolutions beside a shortcut; the stride is in the first, as in MSRA's ResNet-50."""

    def __init__(self, inputs: int, middle: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.shortcut = NormedConv(inputs, outputs, 1, stride) if inputs != outputs else None
        self.conv1 = NormedConv(inputs, middle, 1, stride)
        self.conv2 = NormedConv(middle, middle, 3)
        self.conv3 = NormedConv(middle, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Give (N, outputs, H / stride, W / stride)."""
        y = functional.relu(self.conv2(functional.relu(self.conv1(x))))
        return functional.relu(self.conv3(y) + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(nn.Module):
    """Stem and four stages; a stage doubles the channels and halves the resolution."""

    def __init__(self, width: int, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = Stem(width)
        inputs = width
        for stage, count in zip(_STAGES, blocks, strict=True):
            middle = width << (stage - 2)
            stride = 1 if stage == _STAGES[0] else 2
            layers = [Bottleneck(inputs, middle, 4 * middle, stride)]
            layers += [Bottleneck(4 * middle, middle, 4 * middle, 1) for _ in range(count - 1)]
            self.add_module(f"res{stage}", nn.Sequential(*layers))
            inputs = 4 * middle

    def forward(self, x: Tensor) -> list[Tensor]:
        """Give the four stages' outputs, the largest first."""
        x = self.stem(x)
        outputs = []
        for stage in _STAGES:
            x = self.get_submodule(f"res{stage}")(x)
            outputs.append(x)
        return outputs


class FeaturePyramid(nn.Module):
    """Every resolution with the meaning of the deepest one."""

    def __init__(self, width: int, channels: int, blocks: tuple[int, ...]) -> None:
        super().__init__()
        for stage in _STAGES:
            inputs = 4 * (width << (stage - 2))
            self.add_module(f"fpn_lateral{stage}", nn.Conv2d(inputs, channels, 1))
            self.add_module(f"fpn_output{stage}", nn.Conv2d(channels, channels, 3, padding=1))
        self.bottom_up = ResNet(width, blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Give p2 … p6, (N, channels, h, w) at strides 4, 8, 16, 32, 64; H and W divide by 32."""
        pyramid: list[Tensor] = []
        above: Tensor | None = None
        for stage, feature in reversed(list(zip(_STAGES, self.bottom_up(x), strict=True))):
            merged: Tensor = self.get_submodule(f"fpn_lateral{stage}")(feature)
            if above is not None:
                merged = merged + functional.interpolate(above, scale_factor=2.0, mode="nearest")
            pyramid.insert(0, self.get_submodule(f"fpn_output{stage}")(merged))
            above = merged
        return [*pyramid, functional.max_pool2d(pyramid[-1], kernel_size=1, stride=2)]
