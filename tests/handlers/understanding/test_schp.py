"""The two published parsing networks, stood in for by tiny ones of the same interface."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.understanding.schp import SchpParser

ATR_UPPER, ATR_FACE, LIP_FACE, NECK = 4, 11, 13, 18
RED, GREEN, BLUE = 2, 1, 0  # places of the channels the networks read


def write_network(file: Path, side_px: int, classes: int, channel_labels: dict[int, int]) -> None:
    """Write a network whose logit of a label is one channel of the photo, at an eighth its size."""
    weights = np.zeros((classes, 3, 1, 1), np.float32)
    for channel, label in channel_labels.items():
        weights[label, channel] = 1
    bias = np.zeros(classes, np.float32)
    bias[0] = 0.5  # background wins where every channel is dark
    nodes = [
        helper.make_node(
            "AveragePool", ["input.1"], ["small"], kernel_shape=[8, 8], strides=[8, 8]
        ),
        helper.make_node("Neg", ["small"], ["first"]),
        helper.make_node("Conv", ["small", "weights", "bias"], ["second"]),
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, None, None])
        for name in ("first", "second")
    ]
    graph = helper.make_graph(
        nodes,
        "parsing",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, side_px, side_px])],
        outputs,
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, file)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Give a folder in which red is clothes to one network and green is a face to both."""
    write_network(tmp_path / "parsing_atr.onnx", 512, 18, {RED: ATR_UPPER, GREEN: ATR_FACE})
    write_network(tmp_path / "parsing_lip.onnx", 473, 20, {GREEN: LIP_FACE, BLUE: 5})
    return tmp_path


def test_labels_lie_where_the_photo_shows_them(published: Path) -> None:
    photo = np.zeros((300, 200, 3), np.uint8)
    photo[40:120, 60:140] = (0, 255, 0)
    photo[140:280, 30:170] = (255, 0, 0)
    labels = SchpParser(published, "cpu").parse(photo)
    assert labels.shape == (300, 200)
    assert labels.dtype == np.uint8
    assert (labels[50:110, 70:130] == ATR_FACE).all()
    assert (labels[150:270, 40:160] == ATR_UPPER).all()
    assert not labels[:30].any()


def test_a_face_to_one_network_alone_is_a_neck(published: Path) -> None:
    photo = np.zeros((160, 120, 3), np.uint8)
    photo[30:80, 30:90] = (0, 255, 0)
    photo[80:130, 30:90] = (0, 200, 255)  # green to the one, more blue than green to the other
    labels = SchpParser(published, "cpu").parse(photo)
    assert labels[50, 60] == ATR_FACE
    assert labels[110, 60] == NECK


@pytest.mark.parametrize("missing", ["parsing_atr.onnx", "parsing_lip.onnx"])
def test_a_missing_file_is_named(published: Path, missing: str) -> None:
    (published / missing).unlink()
    with pytest.raises(BadCheckpoint, match=missing):
        SchpParser(published, "cpu")


def test_a_truncated_file_is_named(published: Path) -> None:
    file = published / "parsing_lip.onnx"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(BadCheckpoint, match=r"parsing_lip\.onnx"):
        SchpParser(published, "cpu")


def test_another_network_is_refused(published: Path) -> None:
    write_network(published / "parsing_lip.onnx", 473, 7, {RED: 1})
    with pytest.raises(BadCheckpoint, match="20 classes"):
        SchpParser(published, "cpu")
