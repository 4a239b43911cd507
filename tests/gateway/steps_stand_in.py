"""A stand-in whose worker takes steps: it tells of each, shows previews, and keeps deadlines."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gateway.running import Gateway, running_gateway
from tests.gateway.torchserve_stand_in import Fault, StandIn, frame

STEPPING = """
continuousBatching: true
tryon:
  engine: stepping
  categories: [upper_body, lower_body, dresses]
  options: [category, output_format, seed, steps, garment_description, preset]
  ranges: {steps: [4, 50], seed: [0, 4294967295]}
  defaults: {steps: 30}
  presets: {fast: {steps: 8}, quality: {steps: 30}}
  licence: Apache-2.0
  commercial_use: true
registry: {warms_garments: true}
"""
PREVIEW = b"\xff\xd8\xff a small picture"
STEPS = 4


@dataclass(repr=False)
class SteppingStandIn(StandIn):
    """Takes four steps, each when it may; `lowered` steps if a deadline is near."""

    may_step: asyncio.Event = field(default_factory=asyncio.Event)
    was_left: asyncio.Event = field(default_factory=asyncio.Event)
    is_late: bool = False
    lowered: int | None = None
    refusal: dict[str, Any] | None = None

    async def _stream(self, fault: Fault, parts: dict[str, Any]) -> AsyncIterator[bytes]:
        if "schedule" not in parts:
            async for chunk in super()._stream(fault, parts):
                yield chunk
            return
        schedule = json.loads(parts["schedule"])
        if self.is_late and "within_s" in schedule:
            details = {"within_s": schedule["within_s"], "estimate_s": 12.2}
            yield frame(b"E", _error("ML_4007", details))
            return
        if self.refusal is not None:
            yield frame(b"E", self.refusal)
            return
        every = schedule.get("preview_every")
        yield frame(b"P", {"stage": "queue", "step": 0, "of": STEPS, "queue_position": 2})
        try:
            for step in range(1, STEPS + 1):
                await self.may_step.wait()
                place = {"queue_position": 0, "estimate_s": 0.5 * (STEPS - step)}
                yield frame(b"P", {"stage": "denoising", "step": step, "of": STEPS, **place})
                if every and step % every == 0:
                    yield frame(b"V", PREVIEW)
        except asyncio.CancelledError:
            self.was_left.set()
            raise
        yield self._answer(parts)

    def _answer(self, parts: dict[str, Any]) -> bytes:
        params = json.loads(parts["params"])
        if params.get("task") == "garment":
            seen = {"model_version": self.version, "pinned": params["pinned"]}
            return frame(b"D", seen | {"stage_ms": {"garment_transfer": 40.0}})
        answer = super()._answer(parts)
        if self.lowered is None:
            return answer
        head, _, told = answer.rpartition(b"D")
        told = told[4:]
        lowered = json.loads(told) | {"steps": self.lowered, "steps_asked": 30}
        return head + frame(b"D", lowered)


def _error(code: str, details: dict[str, Any]) -> dict[str, Any]:
    return {"error_code": code, "message": "It cannot be.", "details": details, "retryable": False}


@asynccontextmanager
async def stepping_gateway(
    folder: Path,
    **sections: Any,  # noqa: ANN401
) -> AsyncIterator[tuple[Gateway, SteppingStandIn]]:
    """A gateway whose default engine shares its steps; they may be taken at once."""
    (folder / "stepping.yaml").write_text(STEPPING)
    stand_in = SteppingStandIn()
    stand_in.may_step.set()
    tryon = {"default_engine": "stepping", **sections.pop("tryon", {})}
    async with running_gateway(folder, stand_in=stand_in, tryon=tryon, **sections) as gateway:
        yield gateway, stand_in
