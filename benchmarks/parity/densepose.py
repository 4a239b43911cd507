"""Goldens of the DensePose picture: labels and boxes in, painted and resized pictures out."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file

from benchmarks.parity.report import Compared
from handlers.vision import crop, densepose_picture

_POSE_PICTURE_PX = (768, 1024)  # width, height of what the denoiser is conditioned on
_STRIDE_PX = 16


def compare(folder: Path) -> Iterator[Compared]:
    """Yield the difference to every golden of a `densepose` folder (see its FORMAT.md)."""
    if not (folder / "densepose.json").is_file():
        return
    told = json.loads((folder / "densepose.json").read_text())
    if "palette_rgb" in told:
        expected = np.array(told["palette_rgb"], np.uint8)[1:]
        yield _levels("palette_rgb", densepose_picture.palette()[1:], expected)
    tensors = folder / "densepose.safetensors"
    stored = load_file(tensors) if tensors.is_file() else {}
    for case in told.get("cases", ()):
        yield from _case(folder, case, stored)


def _case(
    folder: Path, case: Mapping[str, Any], stored: Mapping[str, NDArray[Any]]
) -> Iterator[Compared]:
    name = case["name"]
    # The original wipes the frame for each person it draws, so only the last one is left.
    last = len(case["instances"]) - 1
    files = (folder / f"{name}.labels.{last}.png", folder / case["render"])
    if not all(file.is_file() for file in files):
        return
    labels, golden = _read(files[0], "L"), _read(files[1], "RGB")
    corner = case["instances"][last]["bbox_xywh"]
    picture = densepose_picture.render(densepose_picture.placed(labels, corner, golden.shape))
    yield _levels(f"{name}.render", picture, golden)
    key = f"{name}.resized_stride{_STRIDE_PX}"
    if key in stored:
        resized = crop.resized(picture, *_POSE_PICTURE_PX)
        yield _levels(key, resized[::_STRIDE_PX, ::_STRIDE_PX], stored[key])


def _read(path: Path, mode: str) -> NDArray[np.uint8]:
    with Image.open(path) as opened:
        return np.array(opened.convert(mode))


def _levels(golden: str, ours: NDArray[np.uint8], theirs: NDArray[Any]) -> Compared:
    apart = np.abs(ours.astype(np.int16) - theirs.astype(np.int16))
    return Compared(f"densepose/{golden}", float(apart.max()), 0.0, "levels")
