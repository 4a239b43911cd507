"""What an IDM-VTON worker reads from the section `handler` of its YAML; imports no torch."""

from dataclasses import dataclass

from handlers.settings import CacheSizes, TryOnSettings
from handlers.understanding.settings import UnderstandingSettings


@dataclass(frozen=True, slots=True)
class FrameSizes:
    """Frames in pixels: what the networks paint, and what a person is understood in."""

    painted_width_px: int
    painted_height_px: int
    understood_width_px: int
    understood_height_px: int


@dataclass(frozen=True, slots=True)
class IdmVtonSettings(TryOnSettings):
    """Everything an IDM-VTON worker reads.

    model_path: the repository, relative to the server's folder; VTON_IDM_VTON_MODEL outranks it.
    device: auto, cpu, cuda or cuda:N; dtype: auto, float32, float16 or bfloat16; auto is the first
    GPU in float16 where there is one, else the CPU in float32. sampler: ddpm or ddim.
    arm_width_px: how wide arms are masked in a frame 512 high.
    """

    model_path: str
    device: str
    dtype: str
    sampler: str
    frames: FrameSizes
    arm_width_px: int
    cache: CacheSizes
    understanding: UnderstandingSettings
