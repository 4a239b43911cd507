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

from benchmarks.parity.report import Compared
from handlers.vision import human_parsing

_ATR_SIDE_PX, _LIP_SIDE_PX = 512, 473
_INPUT = re.compile(r"(?P<name>.+)\.network_input_stride(?P<stride>\d+)_of_(?P<side>\d+)")
_INPUT_TOLERANCE = 1e-6


def compare(folder: Path) -> Iterator[Compared]:
    """Yield the difference to every golden of a `parsing` folder (see its FORMAT.md)."""
    if not (folder / "parsing.safetensors").is_file():
        return
    stored = load_file(folder / "parsing.safetensors")
    for key, golden in stored.items():
        if told := _INPUT.fullmatch(key):
            yield _input(folder, told.groupdict(), golden)
    for case in json.loads((folder / "parsing.json").read_text())["cases"]:
        if f"{case['name']}.atr_logits" in stored:
            yield _labels(folder, case["name"], stored)


def _input(folder: Path, told: Mapping[str, str], golden: NDArray[Any]) -> Compared:
    name, stride, side_px = told["name"], int(told["stride"]), int(told["side"])
    with Image.open(folder / f"{name}.image.png") as opened:
        rgb = np.array(opened.convert("RGB"))
    ours = human_parsing.network_input(rgb, side_px)[:, :, ::stride, ::stride]
    apart = float(np.abs(ours - golden).max())
    golden_name = f"parsing/{name}.network_input_{side_px}"
    return Compared(golden_name, apart, _INPUT_TOLERANCE, "largest difference")


def _labels(folder: Path, name: str, stored: Mapping[str, NDArray[Any]]) -> Compared:
    with Image.open(folder / f"{name}.result.png") as opened:
        golden = np.array(opened)
    height_px, width_px = golden.shape
    atr, lip = (
        human_parsing.labels_in_photo(stored[f"{name}.{net}_logits"], side_px, width_px, height_px)
        for net, side_px in (("atr", _ATR_SIDE_PX), ("lip", _LIP_SIDE_PX))
    )
    apart = float(np.mean(human_parsing.merged(atr, lip) != golden))
    return Compared(f"parsing/{name}.result", apart, 0.0, "share of pixels")
