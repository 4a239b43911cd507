"""Human parsing by IDM-VTON's own two networks (SCHP): ONNX files, read by onnxruntime."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handlers.diffusion import manifest
from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.vision import human_parsing

_ATR: Final = ("parsing_atr.onnx", 18)
_LIP: Final = ("parsing_lip.onnx", 20)
_FUSED_OUTPUT: Final = 1  # the nets tell an edge map and a first guess, too


class SchpParser:
    """A Parser from the published folder `humanparsing`; any number of threads may ask it."""

    def __init__(self, folder: Path, device: str) -> None:
        """Load both networks; raises BadCheckpoint naming the file."""
        manifest.verify(folder, (folder / _ATR[0], folder / _LIP[0]))
        self._atr = _Network(folder / _ATR[0], _ATR[1], device)
        self._lip = _Network(folder / _LIP[0], _LIP[1], device)

    def parse(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give the (H, W) labels 0..18 of a (H, W, 3) photo."""
        return human_parsing.merged(self._atr.labels(rgb), self._lip.labels(rgb))


class _Network:
    """One of the two: a photo to the labels of its data set."""

    def __init__(self, file: Path, classes: int, device: str) -> None:
        import onnxruntime  # noqa: PLC0415  optional, and slow to import

        if not file.is_file():
            raise BadCheckpoint(f"{file}: missing")
        cuda = ["CUDAExecutionProvider"] if device.startswith("cuda") else []
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(file), providers=[*cuda, "CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no public base
            raise BadCheckpoint(f"{file}: no readable ONNX model ({error})") from error
        told = self._session.get_inputs()[0]
        self._input, self._side_px = told.name, told.shape[-1]
        outputs = self._session.get_outputs()
        if len(outputs) <= _FUSED_OUTPUT or not isinstance(self._side_px, int):
            raise BadCheckpoint(f"{file}: not one of the two published parsing networks")
        self._output = outputs[_FUSED_OUTPUT].name
        if self._logits(np.zeros((2, 2, 3), np.uint8)).shape[0] != classes:
            raise BadCheckpoint(f"{file}: expected {classes} classes")

    def labels(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give the (H, W) labels of the network's own data set."""
        height_px, width_px = rgb.shape[:2]
        logits = self._logits(rgb)
        return human_parsing.labels_in_photo(logits, self._side_px, width_px, height_px)

    def _logits(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes = human_parsing.network_input(rgb, self._side_px)
        logits: NDArray[np.float32] = self._session.run([self._output], {self._input: planes})[0][0]
        return logits
