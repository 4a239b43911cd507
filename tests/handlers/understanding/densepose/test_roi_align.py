"""ROIAlign against ONNX Runtime's operator."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor

from handlers.understanding.densepose.roi_align import roi_align
from tests.handlers.understanding.densepose.test_boxes import session


def by_onnx(feature: Tensor, boxes: Tensor, size: int, scale: float) -> Tensor:
    info = helper.make_tensor_value_info
    node = helper.make_node(
        "RoiAlign",
        ["feature", "boxes", "pictures"],
        ["cut"],
        mode="avg",
        output_height=size,
        output_width=size,
        sampling_ratio=2,
        spatial_scale=scale,
        coordinate_transformation_mode="output_half_pixel",
    )
    given = [
        info("feature", TensorProto.FLOAT, list(feature.shape)),
        info("boxes", TensorProto.FLOAT, [len(boxes), 4]),
        info("pictures", TensorProto.INT64, [len(boxes)]),
    ]
    cut = [info("cut", TensorProto.FLOAT, None)]
    oracle: onnxruntime.InferenceSession = session(
        helper.make_graph([node], "roi_align", given, cut), 16
    )
    pictures = np.zeros(len(boxes), np.int64)
    values = {"feature": feature.numpy(), "boxes": boxes.numpy(), "pictures": pictures}
    return torch.from_numpy(oracle.run(None, values)[0])


@pytest.mark.parametrize("size", [7, 28])
@pytest.mark.parametrize("seed", range(40))
def test_a_cut_is_the_one_that_onnx_makes(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(2, 60, 2))
    scale = 1 / 2 ** int(rng.integers(2, 6))
    feature = torch.tensor(rng.standard_normal((1, 3, height, width)), dtype=torch.float32)
    # Some boxes lie partly or wholly outside, some are smaller than a cell of the map.
    frame = np.array([width, height]) / scale
    corners = rng.uniform(-0.4, 1.1, (150, 2)) * frame
    sides = rng.uniform(0, 1, (150, 2)) ** 3 * frame
    boxes = torch.tensor(np.concatenate([corners, corners + sides], 1), dtype=torch.float32)
    ours, theirs = roi_align(feature, boxes, size, scale), by_onnx(feature, boxes, size, scale)
    # Where a sample sits on the rim to the last bit, one of the two may count it as outside.
    apart = (ours - theirs).abs().amax((1, 2, 3)) > 1e-3
    assert (ours - theirs)[~apart].abs().max() < 1e-4
    assert apart.sum() <= 1


def test_a_linear_ramp_gives_the_centres_of_the_cells() -> None:
    ramp = torch.arange(32.0).expand(1, 1, 32, 32)
    cut = roi_align(ramp, torch.tensor([[32.0, 32.0, 88.0, 88.0]]), 7, 1 / 4)
    assert torch.allclose(cut[0, 0, 0], 8 + 2 * (torch.arange(7) + 0.5))


def test_no_boxes_make_no_cuts() -> None:
    assert roi_align(torch.zeros(1, 5, 8, 8), torch.zeros(0, 4), 7, 0.25).shape == (0, 5, 7, 7)
