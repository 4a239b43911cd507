"""What a finished try-on is, and when two requests are the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from gateway.domain.images import Picture
    from gateway.domain.jobs import Prediction
    from gateway.domain.options import Plan


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result as it lies in the store: one name per sample, and the engine's metadata."""

    names: tuple[str, ...]
    expires_at: int
    metadata: Mapping[str, JsonValue]

    @property
    def model_version(self) -> str | None:
        """The version of the model that made it."""
        version = self.metadata.get("model_version")
        return version if isinstance(version, str) else None


def request_key(images: Mapping[str, Picture], plan: Plan, version: str | None, caller: str) -> str:
    """The identity of a request: same caller, pixels, options, engine and version.

    `images` are the normalised pictures by name; the digest is hexadecimal. What was made for one
    caller is never another's: that it is there would tell that somebody else has the same photo.
    """
    asked = {
        "caller": caller,
        "engine": plan.engine.name,
        "version": version,
        "params": dict(plan.params),
        "images": {name: sha256(image.png).hexdigest() for name, image in images.items()},
    }
    return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def finished_metadata(prediction: Prediction, plan: Plan) -> dict[str, JsonValue]:
    """The engine's metadata, completed by its licence and by what was not done as asked."""
    reported = prediction.metadata.get("warnings")
    warnings = [*(reported if isinstance(reported, list) else []), *plan.warnings]
    if is_lowered(prediction):
        warnings.append(_lowered(prediction.metadata))
    return {
        **prediction.metadata,
        "warnings": warnings,
        "licence": plan.engine.licence,
        "commercial_use": plan.engine.commercial_use,
    }


def is_lowered(prediction: Prediction) -> bool:
    """Whether steps were left out to keep a deadline: then it is not what the request is."""
    return "steps_asked" in prediction.metadata


def is_of_another(prediction: Prediction, version: str | None) -> bool:
    """Whether another version made it than the one asked: one that took the other's place."""
    told = prediction.metadata.get("model_version")
    return None not in (told, version) and told != version


def _lowered(metadata: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    taken, asked = metadata.get("steps"), metadata["steps_asked"]
    message = f"Done in {taken} of {asked} steps, to be in time."
    return {"code": "steps_lowered", "message": message, "steps": taken, "steps_asked": asked}
