"""Goldens of human parsing: a photo as the nets see it, and the label map made of their logits."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file

from benchmarks.parity.report import Compared, guarded, largest
from handlers.vision import human_parsing

_PUBLISHED_SHAPES = ((1, 3, 512, 512), (1, 3, 473, 473))  # what the ATR and the LIP net read
_INPUT = re.compile(r"(?P<name>.+)\.network_input_stride(?P<stride>\d+)_of_(?P<side>\d+)")
_ROUNDING = 1e-6


def compare(folder: Path) -> Iterator[Compared]:
    """Yield the difference to every golden of a `parsing` folder (see its FORMAT.md)."""
    tensors = folder / "parsing.safetensors"
    stored = load_file(tensors) if tensors.is_file() else {}
    for key, golden in stored.items():
        told = _INPUT.fullmatch(key)
        if told and (folder / f"{told['name']}.image.png").is_file():
            yield from guarded(f"parsing/{key}", _input(folder, told.groupdict(), golden))
    if (folder / "parsing.json").is_file():
        for case in json.loads((folder / "parsing.json").read_text())["cases"]:
            yield from guarded(f"parsing/{case['name']}", _labels(folder, case, stored))


def _input(folder: Path, told: Mapping[str, str], golden: NDArray[Any]) -> Iterator[Compared]:
    name, stride, side_px = told["name"], int(told["stride"]), int(told["side"])
    with Image.open(folder / f"{name}.image.png") as opened:
        rgb = np.array(opened.convert("RGB"))
    ours = human_parsing.network_input(rgb, side_px)[:, :, ::stride, ::stride]
    yield largest(f"parsing/{name}.network_input_{side_px}", ours, golden, _ROUNDING)


def _labels(
    folder: Path, case: Mapping[str, Any], stored: Mapping[str, NDArray[Any]]
) -> Iterator[Compared]:
    name, file = case["name"], folder / f"{case['name']}.result.png"
    keys = [f"{name}.{net}_logits" for net in ("atr", "lip")]
    if not file.is_file() or any(key not in stored for key in keys):
        return
    with Image.open(file) as opened:
        golden = np.array(opened)
    height_px, width_px = golden.shape
    atr, lip = (
        human_parsing.labels_in_photo(stored[key], shape[-1], width_px, height_px)
        for key, shape in zip(keys, case.get("net_shapes", _PUBLISHED_SHAPES), strict=True)
    )
    apart = float(np.mean(human_parsing.merged(atr, lip) != golden))
    yield Compared(f"parsing/{name}.result", apart, 0.0, "share of pixels")
