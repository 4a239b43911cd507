"""What an SDXL worker reads from the section `handler` of its YAML; imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handlers import places
from handlers.settings import Encoding, HandlerSettings, Stepping

_SAFETY_VARIABLE: Final = "VTON_SAFETY_MODEL"


@dataclass(frozen=True, slots=True)
class SafetyChecker:
    """Who looks at the pictures before they leave: a folder, or nobody where the path is empty.

    VTON_SAFETY_MODEL outranks `model_path`; a path that cannot be read stops the start.
    """

    model_path: str
    licence: str
    commercial_use: bool

    @property
    def path(self) -> Path | None:
        """The folder, None where nobody looks."""
        return places.resolve_wished(self.model_path, _SAFETY_VARIABLE)


@dataclass(frozen=True, slots=True)
class SdxlSettings(HandlerSettings):
    """Everything an SDXL worker reads.

    model_path: the repository, relative to the server's folder; VTON_SDXL_MODEL outranks it.
    device: auto, cpu, cuda or cuda:N; dtype: auto, float32, float16 or bfloat16; auto is the first
    GPU in float16 where there is one, else the CPU in float32. memory: auto, 8gb, 12gb, 16gb, 24gb
    or full, the card that all must fit. solver: euler or dpmpp_2m. max_images_per_forward: pictures
    that share a pass of the network, two rows each; a small memory allows fewer. warm_up_steps: of
    the picture of default size that is drawn before the worker is ready.
    """

    model_path: str
    device: str
    dtype: str
    memory: str
    solver: str
    max_images_per_forward: int
    warm_up_steps: int
    encode: Encoding
    stepping: Stepping
    safety_checker: SafetyChecker
