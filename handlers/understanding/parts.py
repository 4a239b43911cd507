"""The models behind the ports, as the settings choose them: what has a path loads, or nothing does.

A network's module is imported when its part has a path: a worker that serves MediaPipe alone needs
neither transformers nor onnxruntime.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handlers import places
from handlers.landmarks import BodyLandmarks
from handlers.loader import Loader
from handlers.settings import BadSetting
from handlers.understanding.by_landmarks import LandmarkUnderstanding
from handlers.understanding.contract import (
    ModelUsed,
    Parser,
    PersonDetector,
    PoseEstimator,
    SurfaceEstimator,
)
from handlers.understanding.latest import LatestPeople
from handlers.understanding.settings import UnderstandingSettings, Weights

_BUNDLED: Final = "mediapipe"
_DETECTOR, _SURFACE = "rtdetr", "densepose"  # the one kind there is of each
_WITHOUT_NECK: Final = "segformer"


@dataclass(frozen=True, slots=True)
class Parts:
    """A model for each port, and which ones they are; `bundled` is MediaPipe, used or not."""

    parser: Parser
    pose: PoseEstimator
    surface: SurfaceEstimator
    detector: PersonDetector
    bundled: LandmarkUnderstanding
    models: tuple[ModelUsed, ...]

    def is_bundled(self, part: str) -> bool:
        """Whether MediaPipe answers for a part: parser, pose, surface or detector."""
        return self._name(part) == _BUNDLED

    @property
    def knows_neck(self) -> bool:
        """Whether the parser tells the neck from the face."""
        return self._name("parser") != _WITHOUT_NECK

    def _name(self, part: str) -> str:
        return next(one.name for one in self.models if one.part == part)


def assemble(settings: UnderstandingSettings) -> Parts:
    """Load every part that has a path; MediaPipe, loaded when first asked, answers for the others.

    Raises BadCheckpoint naming the file, BadSetting naming the setting that is wrong.
    """
    confidence = settings.landmarks.min_detection_confidence
    landmarks = Loader(lambda: BodyLandmarks(confidence))
    bundled = LandmarkUnderstanding(landmarks, settings.pose.min_score)
    device = _device(settings.device)
    detector = _detector(settings, device) or bundled
    return Parts(
        parser=_parser(settings, device) or bundled,
        pose=_pose(settings, detector, device) or bundled,
        surface=_surface(settings, device) or bundled,
        detector=detector,
        bundled=bundled,
        models=(
            _used("parser", settings.parser.kind, settings.parser.weights, settings),
            _used("pose", settings.pose.kind, settings.pose.weights, settings),
            _used("surface", _SURFACE, settings.surface.weights, settings),
            _used("detector", _DETECTOR, settings.detector.weights, settings),
        ),
    )


def _used(part: str, kind: str, weights: Weights, settings: UnderstandingSettings) -> ModelUsed:
    if weights.path:
        return ModelUsed(part, kind, weights.licence, weights.commercial_use)
    told = settings.landmarks
    return ModelUsed(part, _BUNDLED, told.licence, told.commercial_use)


def _parser(settings: UnderstandingSettings, device: str) -> Parser | None:
    kind, path = settings.parser.kind, _path(settings.parser.weights)
    if kind not in {"segformer", "schp"}:
        raise _unknown("parser", kind, "segformer or schp")
    if path is None:
        return None
    if kind == "schp":
        from handlers.understanding.schp import SchpParser  # noqa: PLC0415  optional

        return SchpParser(path, device)
    from handlers.understanding.segformer import SegformerParser  # noqa: PLC0415  optional

    return SegformerParser(path, device)


def _pose(
    settings: UnderstandingSettings, detector: PersonDetector, device: str
) -> PoseEstimator | None:
    kind, path, min_score = (
        settings.pose.kind,
        _path(settings.pose.weights),
        settings.pose.min_score,
    )
    if kind not in {"vitpose", "openpose"}:
        raise _unknown("pose", kind, "vitpose or openpose")
    if path is None:
        return None
    if kind == "openpose":
        from handlers.understanding.openpose import OpenPoseEstimator  # noqa: PLC0415  optional

        return OpenPoseEstimator(path, min_score, device)
    from handlers.understanding.vitpose import VitPoseEstimator  # noqa: PLC0415  optional

    return VitPoseEstimator(path, detector, min_score, device)


def _detector(settings: UnderstandingSettings, device: str) -> PersonDetector | None:
    path = _path(settings.detector.weights)
    if path is None:
        return None
    from handlers.understanding.rtdetr import RtDetrDetector  # noqa: PLC0415  optional

    return LatestPeople(RtDetrDetector(path, settings.detector.min_score, device))


def _surface(settings: UnderstandingSettings, device: str) -> SurfaceEstimator | None:
    path = _path(settings.surface.weights)
    if path is None:
        return None
    from handlers.understanding.densepose.estimator import (  # noqa: PLC0415  optional
        DensePoseEstimator,
    )

    return DensePoseEstimator(path, settings.surface.min_score, device)


def _path(weights: Weights) -> Path | None:
    return places.resolve(weights.path) if weights.path else None


def _unknown(part: str, kind: str, known: str) -> BadSetting:
    return BadSetting(f"handler.understanding.{part}.kind: expected {known}, found {kind!r}")


def _device(wished: str) -> str:
    """Give torch's name of a device; auto is the first GPU where there is one."""
    if wished != "auto":
        return wished
    import torch  # noqa: PLC0415  heavy

    return "cuda" if torch.cuda.is_available() else "cpu"
