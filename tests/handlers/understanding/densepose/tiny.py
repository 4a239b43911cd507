"""A DensePose small enough for a test, in the published layout, and photos that it finds people in.

Everything is drawn from fixed seeds; nobody trained it, so what it finds is deterministic noise.
"""

import pickle
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from handlers.understanding.densepose.network import DensePose, InputSize, Sizes

SIZES: Final = Sizes(
    width=8, channels=16, box_hidden=32, chart_hidden=24, chart_depth=2, blocks=(1, 2, 1, 1)
)
INPUT_SIZE: Final = InputSize(short_side_px=96, max_long_side_px=160)
_SMALL: Final = {  # boxes stay near their anchors, scores clear of 0 and 1, 255 becomes about 1
    "stem.conv1.weight": 0.001,
    "anchor_deltas": 0.002,
    "bbox_pred": 0.002,
    "cls_score": 0.02,
}


def shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's tensors."""
    with torch.device("meta"):
        network = DensePose(sizes, INPUT_SIZE)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def state(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Random weights by name, scaled so that signals neither fade nor grow."""
    rng = np.random.default_rng(seed)
    drawn = {}
    for name, shape in shapes(SIZES).items():
        values = rng.standard_normal(shape)
        if name.endswith(("norm.weight", "running_var")):
            values = 1 + 0.2 * np.tanh(values)
        elif small := [scale for part, scale in _SMALL.items() if part in name]:
            values *= small[0]
        else:
            values *= 1.4 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.1
        drawn[name] = values.astype(np.float32)
    return drawn


def saved(file: Path, protocol: int = pickle.DEFAULT_PROTOCOL, **changed: object) -> Path:
    """Write a checkpoint as detectron2 publishes it; `changed` goes beside the weights."""
    content = {"model": state(), "__author__": "nobody", **changed}
    file.write_bytes(pickle.dumps(content, protocol))
    return file


def photo(height_px: int, width_px: int, seed: int = 0) -> NDArray[np.uint8]:
    """Coloured squares."""
    rng = np.random.default_rng(seed)
    squares = rng.integers(0, 256, (height_px // 8, width_px // 8, 3), np.uint8)
    return np.kron(squares, np.ones((8, 8, 1), np.uint8))
