"""Section `handler.understanding` of a model's YAML: who answers for which part, on what terms.

A part whose path is empty is answered by MediaPipe's bundled models.
"""

from dataclasses import dataclass

from handlers.settings import HandlerSettings


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's files: a folder or file (empty: MediaPipe answers), and the terms of their use.

    licence: SPDX identifier, or LicenseRef-… for one that SPDX does not list.
    """

    path: str
    licence: str
    commercial_use: bool


@dataclass(frozen=True, slots=True)
class ParserSettings:
    """Human parsing: kind is `segformer` (a folder) or `schp` (a folder of two ONNX files)."""

    kind: str
    weights: Weights


@dataclass(frozen=True, slots=True)
class PoseSettings:
    """Key points: kind is `vitpose` or `openpose`; a point below min_score is missing."""

    kind: str
    weights: Weights
    min_score: float


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """The person boxes that ViTPose reads: RT-DETR; boxes below min_score are none."""

    weights: Weights
    min_score: float


@dataclass(frozen=True, slots=True)
class SurfaceSettings:
    """DensePose: a person below min_score is none."""

    weights: Weights
    min_score: float


@dataclass(frozen=True, slots=True)
class LandmarkSettings:
    """MediaPipe's bundled models, where no other model answers."""

    licence: str
    commercial_use: bool
    min_detection_confidence: float


@dataclass(frozen=True, slots=True)
class UnderstandingSettings:
    """Everything the understanding of a person reads; device: auto, cpu, cuda or cuda:N."""

    device: str
    cache_bytes: int
    cache_max_age_s: float
    parser: ParserSettings
    pose: PoseSettings
    detector: DetectorSettings
    surface: SurfaceSettings
    landmarks: LandmarkSettings


@dataclass(frozen=True, slots=True)
class PersonSettings(HandlerSettings):
    """Everything a person worker reads.

    frame_width_px, frame_height_px: what photos are understood in; arm_width_px: how wide arms are
    masked in a frame 512 high; png_compression: 0..9; warm_up_rounds: analyses before it is ready.
    """

    max_input_pixels: int
    png_compression: int
    warm_up_rounds: int
    frame_width_px: int
    frame_height_px: int
    arm_width_px: int
    opencv_threads: int
    understanding: UnderstandingSettings
