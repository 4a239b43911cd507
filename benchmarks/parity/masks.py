"""Goldens of the agnostic mask: parse map and key points in, the pixels to repaint out."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.parity.report import Compared, guarded
from handlers.vision.agnostic import agnostic_mask

_ARM_WIDTH_PX = {"hd": 60, "dc": 45}
_KEYPOINT_FRAME_HEIGHT_PX = 512
_UNDEFINED = 0.1  # share of pixels a wrapped coordinate may cost: each platform wraps its own way


def compare(folder: Path) -> Iterator[Compared]:
    """Yield the difference to every golden of a `masks` folder (see its FORMAT.md)."""
    if not (folder / "masks.json").is_file():
        return
    for case in json.loads((folder / "masks.json").read_text())["cases"]:
        for expected in case["results"]:
            if (folder / case["parse"]).is_file() and (folder / expected["mask"]).is_file():
                name = f"masks/{case['name']}.{expected['category']}.{expected['model_type']}"
                yield from guarded(name, _compared(name, folder, case, expected))


def _compared(
    name: str, folder: Path, case: Mapping[str, Any], expected: Mapping[str, Any]
) -> Iterator[Compared]:
    with Image.open(folder / expected["mask"]) as opened:
        golden = np.array(opened.convert("1"), bool)
    height_px, width_px = golden.shape
    with Image.open(folder / case["parse"]) as opened:
        labels = np.array(opened.resize((width_px, height_px), Image.Resampling.NEAREST))
    keypoints = np.array(case["keypoints"], np.float64) * height_px / _KEYPOINT_FRAME_HEIGHT_PX
    category, kind = expected["category"], expected["model_type"]
    ours = agnostic_mask(labels, keypoints, category, _ARM_WIDTH_PX[kind], guarded=False)
    tolerance = _UNDEFINED if case.get("negative_coordinate_cast") else 0.0
    yield Compared(name, float(np.mean(ours != golden)), tolerance, "share of pixels")
