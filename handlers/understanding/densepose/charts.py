"""Which surface part each pixel of a person shows: DensePose's own heads (Güler et al. 2018)."""

from typing import Final

from torch import Tensor, nn
from torch.nn import functional

LEVELS: Final = (2, 3, 4, 5)
"""The pyramid levels that the heads read, p2 … p5."""


class ReluConv(nn.Conv2d):
    """A 3x3 convolution and its rectifier."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's name
        """Give (N, outputs, H, W)."""
        return functional.relu(super().forward(input))


class Decoder(nn.Module):
    """Sums p2 … p5 at the resolution of p2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for level in LEVELS:
            layers: list[nn.Module] = []
            for _ in range(max(1, level - 2)):
                layers.append(ReluConv(channels, channels))
                if level > LEVELS[0]:
                    layers.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
            self.add_module(f"p{level}", nn.Sequential(*layers))
        self.predictor = nn.Conv2d(channels, channels, 1)

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        """Give (N, channels, H / 4, W / 4)."""
        summed: Tensor = self.get_submodule("p2")(pyramid[0])
        for level, feature in zip(LEVELS[1:], pyramid[1:4], strict=True):
            summed = summed + self.get_submodule(f"p{level}")(feature)
        predicted: Tensor = self.predictor(summed)
        return predicted


class ChartHead(nn.Module):
    """A stack of convolutions over a pooled person."""

    def __init__(self, channels: int, hidden: int, depth: int) -> None:
        super().__init__()
        for index in range(depth):
            layer = ReluConv(hidden if index else channels, hidden)
            self.add_module(f"body_conv_fcn{index + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        """Give (N, hidden, 28, 28)."""
        for layer in self.children():
            x = layer(x)
        return x


class ChartPredictor(nn.Module):
    """Logits over a box, four times as fine as its features.

    The surface coordinates u and v are part of the checkpoint; nobody here asks for them.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        outputs = {"ann_index": 2, "index_uv": 25, "u": 25, "v": 25}
        for name, channels in outputs.items():
            layer = nn.ConvTranspose2d(hidden, channels, 4, stride=2, padding=1)
            self.add_module(f"{name}_lowres", layer)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give coarse (N, 2, 112, 112) and fine (N, 25, 112, 112)."""
        coarse, fine = (
            functional.interpolate(
                self.get_submodule(f"{name}_lowres")(x),
                scale_factor=2.0,
                mode="bilinear",
                align_corners=False,
            )
            for name in ("ann_index", "index_uv")
        )
        return coarse, fine
