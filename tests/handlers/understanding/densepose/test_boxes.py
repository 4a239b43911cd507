"""Non-maximum suppression against ONNX Runtime's operator, and the arithmetic of boxes."""

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import GraphProto, TensorProto, helper
from torch import Tensor

from handlers.understanding.densepose import boxes as of_boxes


@pytest.fixture(scope="module")
def oracle() -> onnxruntime.InferenceSession:
    """ONNX's NonMaxSuppression over any number of boxes."""
    info = helper.make_tensor_value_info
    node = helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "iou"], ["chosen"])
    given = [
        info("boxes", TensorProto.FLOAT, [1, "n", 4]),
        info("scores", TensorProto.FLOAT, [1, 1, "n"]),
        info("most", TensorProto.INT64, [1]),
        info("iou", TensorProto.FLOAT, [1]),
    ]
    chosen = [info("chosen", TensorProto.INT64, None)]
    return session(helper.make_graph([node], "nms", given, chosen), 11)


def session(graph: GraphProto, opset: int) -> onnxruntime.InferenceSession:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def drawn(rng: np.random.Generator, *, on_a_grid: bool) -> tuple[Tensor, Tensor]:
    """Up to 150 boxes that overlap a lot; on a grid many are equal, empty or just touch."""
    count = int(rng.integers(1, 150))
    corners = rng.uniform(-20, 120, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0, 90, (count, 2))], 1)
    if on_a_grid:
        boxes = np.round(boxes / 20) * 20
    # Distinct scores: among equals any order is right.
    scores = rng.permutation(count) / count
    return torch.tensor(boxes, dtype=torch.float32), torch.tensor(scores, dtype=torch.float32)


@pytest.mark.parametrize("on_a_grid", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_the_boxes_kept_are_those_that_onnx_keeps(
    oracle: onnxruntime.InferenceSession, seed: int, *, on_a_grid: bool
) -> None:
    rng = np.random.default_rng(seed)
    boxes, scores = drawn(rng, on_a_grid=on_a_grid)
    threshold = float(rng.choice([0.0, 0.25, 0.5, 0.7, 0.9]))
    chosen: NDArray[np.int64] = oracle.run(
        None,
        {
            "boxes": boxes[None].numpy(),
            "scores": scores[None, None].numpy(),
            "most": np.array([len(boxes)]),
            "iou": np.array([threshold], np.float32),
        },
    )[0]
    assert of_boxes.nms(boxes, scores, threshold).tolist() == chosen[:, 2].tolist()


@pytest.mark.parametrize("seed", range(20))
def test_a_box_is_suppressed_by_its_own_group_only(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes, scores = drawn(rng, on_a_grid=False)
    groups = torch.from_numpy(rng.integers(0, 5, len(boxes)))
    # The same question, asked of boxes that are too far apart to meet.
    apart = boxes + 1000 * groups[:, None]
    together = of_boxes.nms_within_groups(boxes, scores, groups, 0.5)
    assert together.tolist() == of_boxes.nms(apart, scores, 0.5).tolist()


def test_of_no_boxes_none_is_kept() -> None:
    nothing = torch.zeros(0, 4)
    assert of_boxes.nms(nothing, torch.zeros(0), 0.5).tolist() == []
    groups = torch.zeros(0, dtype=torch.int64)
    assert of_boxes.nms_within_groups(nothing, torch.zeros(0), groups, 0.5).tolist() == []


def test_deltas_move_the_centre_by_sides_and_scale_them_by_powers_of_e() -> None:
    box = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    deltas = torch.tensor([[1.0, -2.0, float(np.log(2)), 0.0]])
    assert of_boxes.moved(box, deltas, (2, 4, 1, 1)).tolist() == [[10.0, 0.0, 50.0, 40.0]]


def test_a_delta_gone_wild_does_not_overflow() -> None:
    box = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    assert torch.isfinite(of_boxes.moved(box, torch.full((1, 4), 1e4), (10, 10, 5, 5))).all()


def test_boxes_end_at_the_pictures_edges() -> None:
    box = torch.tensor([[-5.0, 3.0, 70.0, 90.0]])
    assert of_boxes.clipped(box, 40, 60).tolist() == [[0.0, 3.0, 60.0, 40.0]]
