"""Boxes: which of many that overlap to keep, and what a network's corrections make of them.

A box is x0, y0, x1, y1 in pixels; boxes are (N, 4) float tensors.
"""

import math
from typing import Final

import numpy as np
import torch
from torch import Tensor

_LARGEST_LOG_GROWTH: Final = math.log(1000.0 / 16)  # beyond this, exp() would overflow in training


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy non-maximum suppression: the int64 indices of the kept boxes, best score first.

    A box goes when its intersection over union with a better one is above the threshold. Memory
    grows with the square of N, which is 1000 at most here.
    """
    order = scores.argsort(descending=True, stable=True)
    too_alike = (_iou(boxes[order].float()) > iou_threshold).numpy(force=True)
    gone = np.zeros(len(order), np.bool_)
    kept = []
    for index, rivals in enumerate(too_alike):
        if not gone[index]:
            kept.append(index)
            gone |= rivals
    return order[kept]


def _iou(boxes: Tensor) -> Tensor:
    """Intersection over union of each with each: (N, N); of two empty boxes NaN."""
    first, second = boxes[:, None], boxes[None]
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area = areas(boxes)
    return shared / (area[:, None] + area - shared)


def nms_within_groups(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float
) -> Tensor:
    """Suppress among boxes of the same group only; groups: (N,) int64. Best score first."""
    kept = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    for group in set(groups.tolist()):
        members = (groups == group).nonzero().flatten()
        kept[members[nms(boxes[members], scores[members], iou_threshold)]] = True
    indices = kept.nonzero().flatten()
    return indices[scores[indices].argsort(descending=True, stable=True)]


def moved(boxes: Tensor, deltas: Tensor, weights: tuple[float, float, float, float]) -> Tensor:
    """Apply a regression's deltas, (N, 4) of dx, dy, dw, dh (Girshick 2014, appendix C)."""
    dx, dy, dw, dh = (deltas / deltas.new_tensor(weights)).unbind(1)
    left, top, right, bottom = boxes.unbind(1)
    width, height = right - left, bottom - top
    x = dx * width + (left + 0.5 * width)
    y = dy * height + (top + 0.5 * height)
    half_width = 0.5 * dw.clamp(max=_LARGEST_LOG_GROWTH).exp() * width
    half_height = 0.5 * dh.clamp(max=_LARGEST_LOG_GROWTH).exp() * height
    return torch.stack((x - half_width, y - half_height, x + half_width, y + half_height), 1)


def clipped(boxes: Tensor, height_px: int, width_px: int) -> Tensor:
    """Cut boxes off at the picture's edges."""
    x0, y0, x1, y1 = boxes.unbind(1)
    return torch.stack(
        (
            x0.clamp(0, width_px),
            y0.clamp(0, height_px),
            x1.clamp(0, width_px),
            y1.clamp(0, height_px),
        ),
        1,
    )


def areas(boxes: Tensor) -> Tensor:
    """The area of each box in square pixels: (N,)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def nonempty(boxes: Tensor) -> Tensor:
    """Which boxes have a width and a height above zero: (N,) bool."""
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
