"""SDXL behind TorchServe: new people from numbers and choices, as a try-on's stand-ins.

TorchServe imports this file by itself, as the top-level module `sdxl`, and wants exactly one class
in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handlers import images, places, provenance
from handlers.base import ImageHandler, Outcome
from handlers.diffusion import prompting
from handlers.diffusion.bodies import Painter
from handlers.diffusion.prompting import Body
from handlers.diffusion.repository import SDXL, Repository
from handlers.diffusion.safety import Checker
from handlers.diffusion.sdxl_memory import Assembled, assemble
from handlers.diffusion.sdxl_settings import SdxlSettings
from handlers.diffusion.sdxl_walks import Plan
from handlers.diffusion.solvers import SOLVERS
from handlers.errors import BadParameters
from handlers.images import Size
from handlers.loader import Loader
from handlers.request import BodiesParams, BodiesRequest
from handlers.seeds import consecutive
from handlers.settings import BadSetting, Offer, needed
from handlers.stages import Stages

_MODEL_VARIABLE: Final = "VTON_SDXL_MODEL"
_NO_GUIDANCE: Final = 1.0


class SdxlHandler(ImageHandler[BodiesRequest]):
    """Draws adults in plain fitted clothes, head to toe, and marks the pictures as drawn."""

    request_type = BodiesRequest
    stages = ("text", "drawing", "safety", "encode")
    settings: SdxlSettings

    def load(self) -> None:
        """Load the networks.

        Raises BadCheckpoint naming the file and key, BadSetting naming the setting that is wrong.
        """
        _check(self.settings, self.offer)
        self._assembled = Loader(lambda: _assembled(self.settings))
        self._checker = _checker(self.settings)
        self._assembled.get()

    def warm_up(self) -> None:
        """Draw somebody in a few steps."""
        asked: dict[str, Any] = {
            **{name: sum(self.offer.ranges[name]) / 2 for name in ("height_cm", "weight_kg")},
            **self.offer.defaults,
            "count": 1,
            "output_format": "png",
            "steps": self.settings.warm_up_steps,
        }
        self.run(BodiesRequest(BodiesParams(**asked)), Stages((), lambda *_: None))

    def run(self, request: BodiesRequest, stages: Stages) -> Outcome:
        """Draw the people of one request; raises BadParameters for a size that is none."""
        params, made = request.params, self._assembled.get()
        painter = Painter(made.networks, made.room)
        plan = self._plan(params, made.networks.grain_px)
        seeds = consecutive(params.seed, params.count)
        with stages.stage("text"):
            words = painter.words(prompting.prompt(_body(params)), prompting.NEGATIVE)
        with stages.stage("drawing"):
            pictures = []
            with painter.at_work():
                seats = list(painter.seats(words, plan, seeds))
                for seat in seats:
                    while seat.steps_left:
                        painter.advance([seat])
                        stages.progress("drawing", *seat.progress)
            for seat in seats:
                pictures += painter.developed(seat)
        kept = self._kept(pictures, stages)
        with stages.stage("encode"):
            encoded = [self._encoded(pictures[number], params.output_format) for number in kept]
        told = {
            "ai_generated": True,
            "digital_source_type": provenance.SOURCE_TYPE,
            "output_format": params.output_format,
            "seeds": [seeds[number] for number in kept],
            "safety_checked": self._checker is not None,
            "blocked": len(pictures) - len(kept),
            "runtime": made.told(),
        }
        return Outcome(tuple(encoded), {**told, **asdict(plan)})

    def gauges(self) -> Mapping[str, float]:
        """Give nothing of its own."""
        return {}

    def _plan(self, params: BodiesParams, grain_px: int) -> Plan:
        plan = Plan(
            height_px=needed(params.height_px, "bodies.defaults.height_px"),
            width_px=needed(params.width_px, "bodies.defaults.width_px"),
            steps=needed(params.steps, "bodies.defaults.steps"),
            guidance_scale=needed(params.guidance_scale, "bodies.defaults.guidance_scale"),
            solver=self.settings.solver,
        )
        sides = {"width_px": plan.width_px, "height_px": plan.height_px}
        fault = f"must be a multiple of {grain_px}"
        if wrong := {name: fault for name, side in sides.items() if side % grain_px}:
            raise BadParameters("The parameters are not valid.", {"fields": wrong})
        return plan

    def _kept(self, pictures: Sequence[NDArray[np.uint8]], stages: Stages) -> list[int]:
        """Give the numbers of the pictures that may leave."""
        if self._checker is None:
            return list(range(len(pictures)))
        with stages.stage("safety"):
            blocked = self._checker.blocks(pictures)
        return [number for number, held_back in enumerate(blocked) if not held_back]

    def _encoded(self, picture: NDArray[np.uint8], wished: str) -> bytes:
        size = Size(picture.shape[1], picture.shape[0])
        encoded = images.encode(picture, wished, self.settings.encode)
        tool = f"{self.settings.name} {self.settings.version}"
        return provenance.mark(encoded, wished, size, tool)


def _check(settings: SdxlSettings, offer: Offer) -> None:
    """Raise BadSetting for what only the engine can know to be wrong."""
    if settings.solver not in SOLVERS:
        raise BadSetting(f"handler.solver: expected one of {', '.join(SOLVERS)}")
    if settings.max_images_per_forward < 1:
        raise BadSetting("handler.max_images_per_forward: expected 1 or more")
    if strange := prompting.unknown_choice(offer.names()):
        raise BadSetting(f"bodies.choices.{strange}: there are no words for it")
    # Without guidance nothing keeps out of a picture what must not be in it.
    if offer.ranges["guidance_scale"][0] <= _NO_GUIDANCE:
        raise BadSetting("bodies.ranges.guidance_scale: must begin above 1")


def _assembled(settings: SdxlSettings) -> Assembled:
    repository = Repository.open(places.resolve(settings.model_path, _MODEL_VARIABLE), SDXL)
    return assemble(repository, settings)


def _checker(settings: SdxlSettings) -> Checker | None:
    path = settings.safety_checker.path
    return None if path is None else Checker(path)


def _body(params: BodiesParams) -> Body:
    chosen: dict[str, Any] = {name: getattr(params, name) for name in prompting.WORDS}
    choices = {name: choice for name, choice in chosen.items() if choice is not None}
    return Body(params.height_cm, params.weight_kg, choices)
