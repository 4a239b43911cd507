"""ROIAlign (He et al. 2017, Mask R-CNN): a feature map's cut-outs at one size, by interpolation."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

_SAMPLES_PER_SIDE: Final = 2  # of each output cell, as DensePose was trained
_BOXES_AT_ONCE: Final = 128  # bounds the memory


def roi_align(feature: Tensor, boxes: Tensor, size: int, scale: float) -> Tensor:
    """Cut (N, 4) boxes out of one (1, C, H, W) map: (N, C, size, size).

    boxes in pixels of the picture, of which the map is `scale` times as large. Coordinates are not
    shifted by half a pixel (detectron2's `ROIAlign`, not `ROIAlignV2`); a box smaller than a cell
    of the map counts as one cell.
    """
    if not len(boxes):
        return feature.new_zeros((0, feature.shape[1], size, size))
    few = torch.split(boxes * scale, _BOXES_AT_ONCE)
    return torch.cat([_cut(feature, cells, size) for cells in few])


def _cut(feature: Tensor, cells: Tensor, size: int) -> Tensor:
    (channels, height, width), count = feature.shape[1:], len(cells)
    x = _samples(cells[:, 0], cells[:, 2], size)
    y = _samples(cells[:, 1], cells[:, 3], size)
    grid = torch.stack(
        (
            _normalised(x, width)[:, None, :].expand(-1, y.shape[1], -1),
            _normalised(y, height)[:, :, None].expand(-1, -1, x.shape[1]),
        ),
        -1,
    )
    sampled = functional.grid_sample(
        feature, grid.flatten(0, 1)[None], padding_mode="border", align_corners=True
    )
    sampled = sampled.view(channels, count, y.shape[1], x.shape[1]).transpose(0, 1)
    # Up to one cell outside, the edge is continued; farther out there is nothing.
    seen = _near(y, height)[:, None, :, None] & _near(x, width)[:, None, None, :]
    return functional.avg_pool2d(sampled * seen, _SAMPLES_PER_SIDE)


def _samples(low: Tensor, high: Tensor, size: int) -> Tensor:
    """Where to look along one axis: (N, size * samples) in cells of the map."""
    count = size * _SAMPLES_PER_SIDE
    steps = (torch.arange(count, device=low.device, dtype=low.dtype) + 0.5) / count
    return low[:, None] + steps * (high - low).clamp(min=1.0)[:, None]


def _normalised(at: Tensor, length: int) -> Tensor:
    return at * (2.0 / max(length - 1, 1)) - 1.0


def _near(at: Tensor, length: int) -> Tensor:
    return (at >= -1) & (at <= length)
