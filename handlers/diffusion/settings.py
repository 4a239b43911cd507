"""What an IDM-VTON worker reads from the section `handler` of its YAML; imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from handlers.quantize import Limits
from handlers.settings import CacheSizes, Stepping, TryOnSettings
from handlers.understanding.settings import UnderstandingSettings


@dataclass(frozen=True, slots=True)
class FrameSizes:
    """Frames in pixels: what the networks paint, and what a person is understood in."""

    painted_width_px: int
    painted_height_px: int
    understood_width_px: int
    understood_height_px: int


@dataclass(frozen=True, slots=True)
class PoolSize:
    """Room for models: budget_bytes, or where that is 0 a share (0..1] of the device's memory."""

    budget_bytes: int
    budget_share: float


@dataclass(frozen=True, slots=True)
class Caches(CacheSizes):
    """Room for what was seen of people, garments and words, and for garment features in tiers.

    device_bytes, host_bytes: where 0, a share (0..1) of what the memory profile leaves of the card,
    and of the host's memory. disk_path: relative to the server's folder. disk_keeps: all or pinned
    garments. pinned_share: of the largest tier, for pinned garments in all.
    """

    text_bytes: int
    device_bytes: int
    device_share: float
    host_bytes: int
    host_share: float
    disk_bytes: int
    disk_path: str
    disk_keeps: str
    pinned_share: float


@dataclass(frozen=True, slots=True)
class Speed:
    """Ways to the same picture, but for rounding, in less time; see docs/speed.md.

    channels_last: convolutions as tensor cores read them; compiled: the transformer blocks, by a
    compiler that must be there; fused_qkv: queries, keys and values by one product; cuda_graphs: so
    many shapes of a step recorded at once, 0 for none.
    """

    channels_last: bool
    compiled: bool
    fused_qkv: bool
    cuda_graphs: int


@dataclass(frozen=True, slots=True)
class IdmVtonSettings(TryOnSettings):
    """Everything an IDM-VTON worker reads.

    model_path: the repository, relative to the server's folder; VTON_IDM_VTON_MODEL outranks it.
    device: auto, cpu, cuda or cuda:N; dtype: auto, float32, float16 or bfloat16; auto is the first
    GPU in float16 where there is one, else the CPU in float32. sampler: ddpm, ddim,
    euler or dpmpp_2m, where no preset names one.
    garment_latents: mode, the same for every seed, or sample, drawn as the original does.
    variants: repositories for single categories, by category; they share `pool` with the first.
    memory: auto, 8gb, 12gb, 16gb, 24gb or full; attention: auto, sdpa or xformers; quantization:
    auto (as memory says), none or int8, which `verify` holds against quantization_limits at load.
    arm_width_px: how wide arms are masked in a frame 512 high.
    """

    model_path: str
    device: str
    dtype: str
    sampler: str
    garment_latents: str
    variants: Mapping[str, str]
    pool: PoolSize
    memory: str
    attention: str
    quantization: str
    verify: bool
    quantization_limits: Limits
    speed: Speed
    frames: FrameSizes
    arm_width_px: int
    cache: Caches
    understanding: UnderstandingSettings
    stepping: Stepping
