"""Where somebody may be: the region proposal network (Ren et al. 2015) on every pyramid level."""

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from handlers.understanding.densepose import boxes as of_boxes

_ANCHOR_SIDES_PX: Final = (32, 64, 128, 256, 512)  # one for each level
_ASPECT_RATIOS: Final = (0.5, 1.0, 2.0)  # height over width
_STRIDES_PX: Final = (4, 8, 16, 32, 64)
_PROPOSALS: Final = 1000  # of a level before suppression, of a picture after it
_IOU_THRESHOLD: Final = 0.7
_DELTA_WEIGHTS: Final = (1.0, 1.0, 1.0, 1.0)

Level = tuple[Tensor, Tensor, Tensor]  # objectness (N, A), deltas (N, A, 4), anchors (A, 4)


def anchors(side_px: float, stride_px: int, height: int, width: int, like: Tensor) -> Tensor:
    """Give the boxes that a level's deltas move: (height * width * 3, 4), row by row."""
    cells = []
    for ratio in _ASPECT_RATIOS:
        half_width = math.sqrt(side_px * side_px / ratio) / 2
        cells.append((-half_width, -ratio * half_width, half_width, ratio * half_width))
    x = torch.arange(width, dtype=like.dtype, device=like.device) * stride_px
    y = torch.arange(height, dtype=like.dtype, device=like.device) * stride_px
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    shifts = torch.stack((columns, rows, columns, rows), -1).view(-1, 1, 4)
    return (shifts + like.new_tensor(cells)).view(-1, 4)


class ProposalHead(nn.Module):
    """For each anchor: is it on something, and how should it move."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        count = len(_ASPECT_RATIOS)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.objectness_logits = nn.Conv2d(channels, count, 1)
        self.anchor_deltas = nn.Conv2d(channels, count * 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give logits (N, h*w*3) and deltas (N, h*w*3, 4), in the order of `anchors`."""
        x = functional.relu(self.conv(x))
        logits: Tensor = self.objectness_logits(x)
        deltas: Tensor = self.anchor_deltas(x)
        moves = deltas.permute(0, 2, 3, 1).reshape(len(x), -1, 4)
        return logits.permute(0, 2, 3, 1).flatten(1), moves


class ProposalNetwork(nn.Module):
    """Proposes boxes for each picture of a batch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rpn_head = ProposalHead(channels)

    def forward(self, pyramid: list[Tensor], sizes: list[tuple[int, int]]) -> list[Tensor]:
        """Give one (P, 4) tensor for each picture, the likeliest box first.

        pyramid: p2 … p6; sizes: height and width of each picture within the padded batch.
        """
        levels = []
        for feature, side_px, stride_px in zip(pyramid, _ANCHOR_SIDES_PX, _STRIDES_PX, strict=True):
            height, width = feature.shape[2:]
            grid = anchors(side_px, stride_px, height, width, feature)
            levels.append((*self.rpn_head(feature), grid))
        return [_chosen(levels, index, *size) for index, size in enumerate(sizes)]


def _chosen(levels: list[Level], index: int, height_px: int, width_px: int) -> Tensor:
    boxes, scores, groups = [], [], []
    for number, (logits, deltas, grid) in enumerate(levels):
        best, which = logits[index].topk(min(_PROPOSALS, logits.shape[1]))
        boxes.append(of_boxes.moved(grid[which], deltas[index, which], _DELTA_WEIGHTS))
        scores.append(best)
        groups.append(torch.full_like(which, number))
    box = of_boxes.clipped(torch.cat(boxes), height_px, width_px)
    score, group = torch.cat(scores), torch.cat(groups)
    usable = of_boxes.nonempty(box) & torch.isfinite(score)
    box, score, group = box[usable], score[usable], group[usable]
    return box[of_boxes.nms_within_groups(box, score, group, _IOU_THRESHOLD)[:_PROPOSALS]]
