from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import VitPoseForPoseEstimation
from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

from handlers.diffusion.checkpoint import BadCheckpoint
from handlers.understanding.rtdetr import RtDetrDetector
from handlers.understanding.vitpose import VitPoseEstimator
from handlers.vision.keypoints import from_coco
from tests.handlers.understanding import tiny_pretrained
from tests.handlers.understanding.densepose import tiny

PHOTO = tiny.photo(256, 200)


@dataclass(frozen=True)
class Known:
    """A detector for photos whose people are known."""

    boxes: tuple[tuple[float, ...], ...]

    def people(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert rgb.ndim == 3
        return np.array(self.boxes, np.float32).reshape(-1, 5)


def test_points_are_those_of_the_network_within_the_first_box(tmp_path: Path) -> None:
    folder = tiny_pretrained.vitpose(tmp_path)
    detector = Known(((40, 20, 150, 240, 0.9), (0, 0, 30, 30, 0.99)))
    found = VitPoseEstimator(folder, detector, -1.0, "cpu").keypoints(PHOTO)
    processor = VitPoseImageProcessorPil.from_pretrained(folder)
    boxes = [np.array([[40.0, 20, 110, 220]])]
    with torch.no_grad():
        outputs = VitPoseForPoseEstimation.from_pretrained(folder)(
            **processor(PHOTO, boxes=boxes, return_tensors="pt")
        )
    ((person,),) = processor.post_process_pose_estimation(outputs, boxes=boxes)
    expected = from_coco(person["keypoints"].numpy(), person["scores"].numpy(), -1.0)
    assert found.shape == (18, 3)
    assert found.dtype == np.float32
    assert np.allclose(found, expected, atol=1e-3)
    assert len(np.unique(found[:, :2], axis=0)) > 5


def test_a_photo_of_nobody_has_no_points(tmp_path: Path) -> None:
    estimator = VitPoseEstimator(tiny_pretrained.vitpose(tmp_path), Known(()), 0.3, "cpu")
    assert not estimator.keypoints(PHOTO).any()


def test_points_below_the_least_score_are_missing(tmp_path: Path) -> None:
    folder, detector = tiny_pretrained.vitpose(tmp_path), Known(((0, 0, 200, 256, 1),))
    assert not VitPoseEstimator(folder, detector, 1.1, "cpu").keypoints(PHOTO).any()


def test_a_mixture_of_experts_is_asked_for_people(tmp_path: Path) -> None:
    folder, detector = tiny_pretrained.vitpose(tmp_path, 6), Known(((0, 0, 200, 256, 1),))
    assert VitPoseEstimator(folder, detector, -1.0, "cpu").keypoints(PHOTO).any()


def test_a_checkpoint_of_other_points_is_refused(tmp_path: Path) -> None:
    folder = tiny_pretrained.vitpose(tmp_path, points=21)
    with pytest.raises(BadCheckpoint, match=r"config\.json: 21 key points, expected COCO's 17"):
        VitPoseEstimator(folder, Known(()), 0.3, "cpu")


def test_detector_and_estimator_work_together(tmp_path: Path) -> None:
    detector = RtDetrDetector(tiny_pretrained.rt_detr(tmp_path / "rt_detr"), 0.0, "cpu")
    folder = tiny_pretrained.vitpose(tmp_path / "vitpose")
    assert VitPoseEstimator(folder, detector, -1.0, "cpu").keypoints(PHOTO).any()
