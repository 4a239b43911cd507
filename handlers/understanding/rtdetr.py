"""People in a photo by RT-DETR (Zhao et al. 2023)."""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.understanding import pretrained

_PERSON: Final = "person"


class RtDetrDetector:
    """A PersonDetector from a folder as `PekingU/rtdetr_r50vd`, or of any labels with a person."""

    def __init__(self, folder: Path, min_score: float, device: str) -> None:
        """Load the folder; raises BadCheckpoint naming the file."""
        from transformers import RTDetrForObjectDetection  # noqa: PLC0415  heavy
        from transformers.models.rt_detr import (  # noqa: PLC0415
            image_processing_pil_rt_detr as processing,
        )

        self._network, self._processor, config = pretrained.load(
            folder, RTDetrForObjectDetection, processing.RTDetrImageProcessorPil, device
        )
        classes = [index for index, name in config.id2label.items() if name == _PERSON]
        if not classes:
            raise BadCheckpoint(f"{folder / 'config.json'}: id2label knows no {_PERSON!r}")
        self._person, self._min_score = classes[0], min_score

    @torch.inference_mode()
    def people(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give (N, 5): x0, y0, x1, y1 in pixels and score, the largest person first."""
        height_px, width_px = rgb.shape[:2]
        prepared = self._processor(images=rgb, return_tensors="pt").to(self._network.device)
        (found,) = self._processor.post_process_object_detection(
            self._network(**prepared),
            target_sizes=[(height_px, width_px)],
            threshold=self._min_score,
        )
        is_person = found["labels"] == self._person
        boxes = found["boxes"][is_person].numpy(force=True)
        boxes = boxes.clip(0, [width_px, height_px, width_px, height_px])
        scores = found["scores"][is_person].numpy(force=True)
        areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        people = np.column_stack([boxes, scores]).astype(np.float32)
        return people[np.argsort(-areas, kind="stable")][: np.count_nonzero(areas)]
