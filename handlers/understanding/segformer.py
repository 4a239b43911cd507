"""Human parsing by SegFormer (Xie et al. 2021), for checkpoints that know ATR's 18 labels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.understanding import pretrained
from handlers.understanding.contract import PARSE_LABELS

_ATR_LABELS: Final = PARSE_LABELS[:18]  # the neck is not among them


class SegformerParser:
    """A Parser from a folder as `mattmdjaga/segformer_b2_clothes`; it knows no neck."""

    def __init__(self, folder: Path, device: str) -> None:
        """Load the folder; raises BadCheckpoint naming the file."""
        from transformers import SegformerForSemanticSegmentation  # noqa: PLC0415  heavy
        from transformers.models.segformer import (  # noqa: PLC0415
            image_processing_pil_segformer as processing,
        )

        self._network, self._processor, config = pretrained.load(
            folder, SegformerForSemanticSegmentation, processing.SegformerImageProcessorPil, device
        )
        self._label = _by_class(config.id2label, folder / "config.json")

    @torch.inference_mode()
    def parse(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give the (H, W) labels 0..17 of a (H, W, 3) photo.

        The logits are stretched to the photo before they are compared, so borders are smooth.
        """
        prepared = self._processor(images=rgb, return_tensors="pt").to(self._network.device)
        logits = self._network(**prepared).logits
        stretched = functional.interpolate(logits, rgb.shape[:2], mode="bilinear")
        return self._label[stretched[0].argmax(0).numpy(force=True)]


def _by_class(names: Mapping[int, str], file: Path) -> NDArray[np.uint8]:
    """Give the ATR label of each of the network's classes, which may stand in another order."""
    spelt = [names[index].lower().replace("-", "_") for index in sorted(names)]
    if unknown := [name for name in spelt if name not in _ATR_LABELS]:
        raise BadCheckpoint(f"{file}: id2label: {unknown[0]!r} is none of ATR's labels")
    if missing := [name for name in _ATR_LABELS if name not in spelt]:
        raise BadCheckpoint(f"{file}: id2label lacks {missing[0]!r}")
    return np.array([_ATR_LABELS.index(name) for name in spelt], np.uint8)
