"""Key points by ViTPose (Xu et al. 2022) within the box of a detected person."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.understanding import pretrained
from handlers.understanding.contract import PersonDetector
from handlers.vision import keypoints

_COCO_POINTS: Final = 17
_COCO_EXPERT: Final = 0  # of the data sets that ViTPose++ was trained on


class VitPoseEstimator:
    """A PoseEstimator from a folder as `usyd-community/vitpose-base-simple`."""

    def __init__(
        self, folder: Path, detector: PersonDetector, min_score: float, device: str
    ) -> None:
        """Load the folder; raises BadCheckpoint naming the file."""
        from transformers import VitPoseForPoseEstimation  # noqa: PLC0415  heavy
        from transformers.models.vitpose import (  # noqa: PLC0415
            image_processing_pil_vitpose as processing,
        )

        self._network, self._processor, config = pretrained.load(
            folder, VitPoseForPoseEstimation, processing.VitPoseImageProcessorPil, device
        )
        if (found := config.num_labels) != _COCO_POINTS:
            raise BadCheckpoint(
                f"{folder / 'config.json'}: {found} key points, expected COCO's {_COCO_POINTS}"
            )
        self._is_mixture = config.backbone_config.num_experts > 1
        self._detector, self._min_score = detector, min_score

    def keypoints(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give (18, 3) of the largest person, all (0, 0, 0) where nobody is found."""
        people = self._detector.people(rgb)
        if not len(people):
            return np.zeros((keypoints.KEYPOINTS, 3), np.float32)
        x0, y0, x1, y1 = people[0, :4].tolist()
        found = self._within(rgb, [x0, y0, x1 - x0, y1 - y0])
        points, scores = found["keypoints"].numpy(force=True), found["scores"].numpy(force=True)
        return keypoints.from_coco(points, scores, self._min_score)

    @torch.inference_mode()
    def _within(self, rgb: NDArray[np.uint8], box_xywh: list[float]) -> dict[str, Any]:
        boxes = [np.array([box_xywh])]
        prepared = self._processor(images=rgb, boxes=boxes, return_tensors="pt")
        prepared = prepared.to(self._network.device)
        if self._is_mixture:
            prepared["dataset_index"] = torch.tensor([_COCO_EXPERT], device=self._network.device)
        ((person,),) = self._processor.post_process_pose_estimation(
            self._network(**prepared), boxes=boxes
        )
        return dict(person)
