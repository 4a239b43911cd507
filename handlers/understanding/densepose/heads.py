"""From proposals to people: what is in a box, and which one of many boxes is a person's."""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from handlers.understanding.densepose import boxes as of_boxes
from handlers.understanding.densepose.charts import LEVELS, ChartHead, ChartPredictor, Decoder
from handlers.understanding.densepose.roi_align import roi_align

_BOX_CELLS: Final = 7
_CHART_CELLS: Final = 28
_DELTA_WEIGHTS: Final = (10.0, 10.0, 5.0, 5.0)
_IOU_THRESHOLD: Final = 0.5
_PEOPLE: Final = 100  # at most, in one picture
_CANONICAL_LEVEL: Final = 4  # whence a box of the canonical side is read
_CANONICAL_SIDE_PX: Final = 224


class Found(NamedTuple):
    """The people of one picture, the likeliest first.

    boxes: (N, 4); scores: (N,); coarse: (N, 2, 112, 112) and fine: (N, 25, 112, 112) logits of
    person or not and of the part, over each box.
    """

    boxes: Tensor
    scores: Tensor
    coarse: Tensor
    fine: Tensor


class Wanted(NamedTuple):
    """People whose score is above min_score, all of them or of each picture the largest alone."""

    min_score: float
    only_largest: bool = False


class BoxHead(nn.Module):
    """Two layers over a pooled box."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels * _BOX_CELLS**2, hidden)
        self.fc2 = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Give (N, hidden) for (N, channels, 7, 7)."""
        return functional.relu(self.fc2(functional.relu(self.fc1(x.flatten(1)))))


class BoxPredictor(nn.Module):
    """Person or background, and a last correction of the box."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(hidden, 2)
        self.bbox_pred = nn.Linear(hidden, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give scores (N,) and deltas (N, 4)."""
        return self.cls_score(x).softmax(-1)[:, 0], self.bbox_pred(x)


class RegionHeads(nn.Module):
    """From proposals to people."""

    def __init__(self, channels: int, box_hidden: int, chart_hidden: int, chart_depth: int) -> None:
        super().__init__()
        self.box_head = BoxHead(channels, box_hidden)
        self.box_predictor = BoxPredictor(box_hidden)
        self.decoder = Decoder(channels)
        self.densepose_head = ChartHead(channels, chart_hidden, chart_depth)
        self.densepose_predictor = ChartPredictor(chart_hidden)

    def forward(
        self,
        pyramid: list[Tensor],
        proposals: list[Tensor],
        sizes: list[tuple[int, int]],
        wanted: Wanted,
    ) -> list[Found]:
        """Give the wanted people of each picture; proposals as ProposalNetwork gives them."""
        people = []
        for index, (candidates, size) in enumerate(zip(proposals, sizes, strict=True)):
            levels = [feature[index : index + 1] for feature in pyramid[:4]]
            people.append(self._people(levels, candidates, size, wanted))
        somebody = any(len(boxes) for boxes, _ in people)
        detail: Tensor = self.decoder(pyramid) if somebody else pyramid[0]
        found = []
        for index, (boxes, scores) in enumerate(people):
            pooled = roi_align(detail[index : index + 1], boxes, _CHART_CELLS, 1 / 4)
            charts = self.densepose_predictor(self.densepose_head(pooled))
            found.append(Found(boxes, scores, *charts))
        return found

    def _people(
        self, levels: list[Tensor], candidates: Tensor, size: tuple[int, int], wanted: Wanted
    ) -> tuple[Tensor, Tensor]:
        pooled = pooled_by_size(levels, candidates)
        scores, deltas = self.box_predictor(self.box_head(pooled))
        boxes = of_boxes.clipped(of_boxes.moved(candidates, deltas, _DELTA_WEIGHTS), *size)
        likely = torch.isfinite(boxes).all(1) & (scores > wanted.min_score)
        boxes, scores = boxes[likely], scores[likely]
        kept = of_boxes.nms(boxes, scores, _IOU_THRESHOLD)[:_PEOPLE]
        if wanted.only_largest and len(kept):
            kept = kept[of_boxes.areas(boxes[kept]).argmax()][None]
        return boxes[kept], scores[kept]


def pooled_by_size(levels: list[Tensor], boxes: Tensor) -> Tensor:
    """Cut each box out of the level that suits its size: (N, C, 7, 7) of (1, C, h, w) p2 … p5."""
    relative = of_boxes.areas(boxes).sqrt() / _CANONICAL_SIDE_PX
    level = torch.floor(_CANONICAL_LEVEL + torch.log2(relative + 1e-8))
    level = level.clamp(LEVELS[0], LEVELS[-1])
    pooled = boxes.new_zeros((len(boxes), levels[0].shape[1], _BOX_CELLS, _BOX_CELLS))
    for number, feature in zip(LEVELS, levels, strict=True):
        chosen = (level == number).nonzero().flatten()
        pooled[chosen] = roi_align(feature, boxes[chosen], _BOX_CELLS, 1 / 2**number)
    return pooled
