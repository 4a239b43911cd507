"""Looks at finished pictures and says which must not leave: Stable Diffusion's safety checker.

config.json  model.safetensors or pytorch_model.bin  preprocessor_config.json
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from numpy.typing import NDArray
from PIL import Image
from transformers import CLIPImageProcessorPil

from handlers.diffusion import checkpoint, loading, manifest
from handlers.diffusion.checkpoint import BadCheckpoint

_CONFIG: Final = "config.json"
_PREPARATION: Final = "preprocessor_config.json"
_WEIGHTS: Final = ("model.safetensors", "model.fp16.safetensors", "pytorch_model.bin")


class Checker:
    """A safety checker on the CPU, where a card's memory is the painter's alone; in float32."""

    def __init__(self, path: Path) -> None:
        """Load it; raises BadCheckpoint naming the file that is missing or wrong."""
        # What it tells of each picture it would black out is untrue here.
        logging.getLogger(StableDiffusionSafetyChecker.__module__).setLevel(logging.ERROR)
        file = next(
            (path / name for name in _WEIGHTS if (path / name).exists()), path / _WEIGHTS[0]
        )
        manifest.verify(path, (path / _CONFIG, path / _PREPARATION, file))
        config = checkpoint.read_json(path / _CONFIG)
        self._processor = _processor(path)
        self._network = loading.encoder(
            StableDiffusionSafetyChecker,
            config,
            checkpoint.read_weights(file),
            file,
            torch.float32,
        )

    @torch.inference_mode()
    def blocks(self, pictures: Sequence[NDArray[np.uint8]]) -> list[bool]:
        """Say of each picture, (H, W, 3) RGB, whether it must not leave."""
        shown = [Image.fromarray(picture) for picture in pictures]
        pixels = self._processor(images=shown, return_tensors="pt").pixel_values
        blackened = np.zeros((len(pictures), 1, 1, 3), np.float32)
        found = self._network(clip_input=pixels, images=blackened)[1]
        return [bool(one) for one in found]


def _processor(path: Path) -> CLIPImageProcessorPil:
    checkpoint.read_json(path / _PREPARATION)
    try:
        return CLIPImageProcessorPil.from_pretrained(str(path), local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise BadCheckpoint(f"{path}: no image processor ({fault})") from fault
