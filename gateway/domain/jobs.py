"""What goes to a model, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Job:
    """One inference: the model, its parameters, and the images by name (PNG bytes).

    `version` None means the version the model server serves by default.
    """

    model: str
    params: Mapping[str, JsonValue]
    images: Mapping[str, bytes]
    request_id: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model made: the encoded images in order, and what it says about them."""

    images: tuple[bytes, ...]
    metadata: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an inference is."""

    stage: str
    step: int
    of: int


class Readiness(StrEnum):
    """Whether a model can be asked."""

    READY = "ready"
    LOADING = "loading"
    MISSING = "missing"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model as its server last described it; a worker takes up to `batch_size` jobs at once."""

    readiness: Readiness
    version: str | None = None
    ready_workers: int = 0
    workers: int = 0
    memory_bytes: int = 0
    gpu: bool = False
    ready_pids: frozenset[int] = frozenset()
    batch_size: int = 1


UNKNOWN = ModelState(Readiness.UNREACHABLE)
