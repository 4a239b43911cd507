"""The whole network, of any size: photos in, the people in them with their charts out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from handlers.understanding.densepose import boxes as of_boxes
from handlers.understanding.densepose.backbone import FeaturePyramid
from handlers.understanding.densepose.heads import Found, RegionHeads, Wanted
from handlers.understanding.densepose.proposals import ProposalNetwork

_MEAN_BGR: Final = (103.530, 116.280, 123.675)
_DIVISOR_PX: Final = 32


@dataclass(frozen=True, slots=True)
class Sizes:
    """Channels and depths; the published R_50_FPN_s1x unless told otherwise."""

    width: int = 64
    channels: int = 256
    box_hidden: int = 1024
    chart_hidden: int = 512
    chart_depth: int = 8
    blocks: tuple[int, ...] = (3, 4, 6, 3)

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> "Sizes":
        """Read the sizes off a checkpoint; raises KeyError for a name that is missing."""
        chart = "roi_heads.densepose_head.body_conv_fcn"
        stages = [f"backbone.bottom_up.res{stage}" for stage in (2, 3, 4, 5)]
        return cls(
            width=len(state["backbone.bottom_up.stem.conv1.weight"]),
            channels=len(state["backbone.fpn_lateral2.weight"]),
            box_hidden=len(state["roi_heads.box_head.fc1.weight"]),
            chart_hidden=len(state[f"{chart}1.weight"]),
            chart_depth=_counted(state, chart, ".weight", first=1),
            blocks=tuple(_counted(state, f"{stage}.", ".conv1.weight") for stage in stages),
        )


def _counted(state: Mapping[str, Tensor], prefix: str, suffix: str, first: int = 0) -> int:
    count = 0
    while f"{prefix}{first + count}{suffix}" in state:
        count += 1
    return max(count, 1)


@dataclass(frozen=True, slots=True)
class InputSize:
    """A photo is resized to this short side, unless its long side would pass the limit."""

    short_side_px: int = 800
    max_long_side_px: int = 1333

    def of(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Give the height and width at which a photo is looked at."""
        scale = self.short_side_px / min(height_px, width_px)
        height, width = scale * height_px, scale * width_px
        if (longest := max(height, width)) > self.max_long_side_px:
            height *= self.max_long_side_px / longest
            width *= self.max_long_side_px / longest
        return math.floor(height + 0.5), math.floor(width + 0.5)


class DensePose(nn.Module):
    """Finds people and their surface parts in photos of any size."""

    def __init__(self, sizes: Sizes, input_size: InputSize) -> None:
        super().__init__()
        self.backbone = FeaturePyramid(sizes.width, sizes.channels, sizes.blocks)
        self.proposal_generator = ProposalNetwork(sizes.channels)
        self.roi_heads = RegionHeads(
            sizes.channels, sizes.box_hidden, sizes.chart_hidden, sizes.chart_depth
        )
        self._input_size = input_size

    @torch.inference_mode()
    def forward(self, photos: list[NDArray[np.uint8]], wanted: Wanted) -> list[Found]:
        """Give the wanted people of each (H, W, 3) RGB photo.

        Boxes lie in the photo's own pixels. Photos of one size do not change each other's answer;
        others share the padding of the largest, as in detectron2, which the network sees.
        """
        inputs = [self.resized(photo) for photo in photos]
        sizes = [(x.shape[1], x.shape[2]) for x in inputs]
        pyramid = self.backbone(_padded(inputs))
        proposals = self.proposal_generator(pyramid, sizes)
        found = self.roi_heads(pyramid, proposals, sizes, wanted)
        return [
            _in_photo(people, size, photo.shape)
            for people, size, photo in zip(found, sizes, photos, strict=True)
        ]

    def resized(self, photo: NDArray[np.uint8]) -> Tensor:
        """Give the (3, h, w) float32 BGR input, mean taken off; resized as PIL does it."""
        height_px, width_px = self._input_size.of(*photo.shape[:2])
        picture = Image.fromarray(photo).resize((width_px, height_px), Image.Resampling.BILINEAR)
        device = self.roi_heads.box_head.fc1.weight.device
        bgr = torch.tensor(np.asarray(picture)[..., ::-1].copy(), device=device).permute(2, 0, 1)
        return bgr.float() - torch.tensor(_MEAN_BGR, device=device).view(3, 1, 1)


def _padded(inputs: list[Tensor]) -> Tensor:
    """Zeros below and to the right, so that all are one size that divides by 32: (N, 3, H, W)."""
    height = math.ceil(max(x.shape[1] for x in inputs) / _DIVISOR_PX) * _DIVISOR_PX
    width = math.ceil(max(x.shape[2] for x in inputs) / _DIVISOR_PX) * _DIVISOR_PX
    batch = inputs[0].new_zeros((len(inputs), 3, height, width))
    for row, x in zip(batch, inputs, strict=True):
        row[:, : x.shape[1], : x.shape[2]] = x
    return batch


def _in_photo(found: Found, seen: tuple[int, int], shape: tuple[int, ...]) -> Found:
    """Scale the boxes to the photo; whoever has no area there is dropped."""
    y, x = (whole / part for whole, part in zip(shape, seen, strict=False))
    boxes = of_boxes.clipped(found.boxes * found.boxes.new_tensor((x, y, x, y)), *shape[:2])
    kept = of_boxes.nonempty(boxes)
    return Found(*(values[kept] for values in found._replace(boxes=boxes)))
