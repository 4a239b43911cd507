"""Goldens of OpenPose's decoder: heat maps and part affinity fields in, joints and people out."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from benchmarks.parity.report import Compared
from handlers.vision.openpose_fields import JOINTS
from handlers.vision.openpose_frame import Frame
from handlers.vision.openpose_people import decode, keypoints

_FRAME: Final = Frame.of(384, 512)
_SCORES: Final = 1e-5


def compare(folder: Path) -> Iterator[Compared]:
    """Yield the difference to every normative golden of an `openpose` folder (see FORMAT.md).

    Of several people the original mixes the joints, of nobody it makes an error: such cases are
    not normative.
    """
    if not all((folder / name).is_file() for name in ("openpose.json", "fields.safetensors")):
        return
    fields = load_file(folder / "fields.safetensors")
    for case in json.loads((folder / "openpose.json").read_text()).get("cases", ()):
        name = case["name"]
        if case["people_given"] == 1 and "error" not in case and f"{name}.heat" in fields:
            yield from _case(case, fields[f"{name}.heat"], fields[f"{name}.paf"])


def _case(
    case: Mapping[str, Any], heat: NDArray[Any], affinity: NDArray[Any]
) -> Iterator[Compared]:
    name, bodies = f"openpose/{case['name']}", decode(heat, affinity, _FRAME)
    if "network_input_shape" in case:
        picture = np.zeros((_FRAME.height_px, _FRAME.width_px, 3), np.uint8)
        shape = np.array(_FRAME.network_input(picture).shape)
        apart = _apart(shape, case["network_input_shape"])
        yield Compared(f"{name}.network_input_shape", apart, 0.0, "pixels")
    if "candidates" in case:
        yield from _candidates(name, bodies.candidates, case["candidates"])
    if "subset" in case:
        yield from _people(name, bodies.people, case["subset"])
    if "pose_keypoints_2d" in case:
        points = keypoints(bodies, 0)[:, :2] if len(bodies.people) else np.zeros((0, 2))
        apart = _apart(points, case["pose_keypoints_2d"])
        yield Compared(f"{name}.pose_keypoints_2d", apart, 0.0, "pixels")


def _candidates(name: str, ours: NDArray[Any], theirs: object) -> Iterator[Compared]:
    expected = np.array(theirs).reshape(-1, 4)
    for part, columns, tolerance, measure in (
        ("pixels", slice(0, 2), 0.0, "pixels"),
        ("scores", 2, _SCORES, "score"),
        ("numbers", 3, 0.0, "numbers"),
    ):
        apart = _apart(ours[:, columns], expected[:, columns])
        yield Compared(f"{name}.candidates.{part}", apart, tolerance, measure)


def _people(name: str, ours: NDArray[Any], theirs: object) -> Iterator[Compared]:
    expected = np.array(theirs).reshape(-1, JOINTS + 2)
    scores = _apart(ours[:, JOINTS], expected[:, JOINTS])
    joints = _apart(np.delete(ours, JOINTS, 1), np.delete(expected, JOINTS, 1))
    yield Compared(f"{name}.subset.joints", joints, 0.0, "numbers")
    yield Compared(f"{name}.subset.score", scores, _SCORES * JOINTS, "score")


def _apart(ours: NDArray[Any], theirs: object) -> float:
    """Give the largest difference; infinite where there is more or less than there should be."""
    expected = np.asarray(theirs, np.float64)
    if ours.shape != expected.shape:
        return float("inf")
    return float(np.abs(ours - expected).max(initial=0.0))
