"""SDXL behind TorchServe: new people from numbers and choices, as a try-on's stand-ins.

TorchServe imports this file by itself, as the top-level module `sdxl`, and wants exactly one class
in it.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handlers import images, places, provenance
from handlers.base import Outcome
from handlers.diffusion import prompting
from handlers.diffusion.bodies import Painter, Seat
from handlers.diffusion.prompting import Body
from handlers.diffusion.repository import SDXL, Repository
from handlers.diffusion.safety import Checker
from handlers.diffusion.sdxl_memory import Assembled, assemble
from handlers.diffusion.sdxl_settings import SdxlSettings
from handlers.diffusion.sdxl_walks import Plan
from handlers.diffusion.solvers import SOLVERS
from handlers.images import Size
from handlers.loader import Loader
from handlers.request import BodiesParams, BodiesRequest
from handlers.seats import Sitting, Wish
from handlers.seeds import consecutive
from handlers.settings import BadSetting, Offer, needed
from handlers.stages import Stages
from handlers.stepping import SteppingHandler

_MODEL_VARIABLE: Final = "VTON_SDXL_MODEL"
_NO_GUIDANCE: Final = 1.0


class SdxlHandler(SteppingHandler[BodiesRequest, Seat]):
    """Draws adults in plain fitted clothes, head to toe, and marks the pictures as drawn."""

    request_type = BodiesRequest
    stages = ("text", "drawing", "safety", "encode")
    step_stage = "drawing"
    settings: SdxlSettings

    def load(self) -> None:
        """Load the networks.

        Raises BadCheckpoint naming the file and key, BadSetting naming the setting that is wrong.
        """
        _check(self.settings, self.offer)
        self._assembled = Loader(lambda: _assembled(self.settings))
        self._checker = _checker(self.settings)
        made = self._assembled.get()
        _check_sizes(self.offer, made.networks.grain_px)
        self._painter = Painter(made.networks, made.room)

    def warm_up(self) -> None:
        """Draw somebody in a few steps, and be ready for turns where they are asked for."""
        first = self._sample(self.settings.warm_up_steps)
        self.run(first, Stages((), lambda *_: None))
        if self.is_continuous:
            told = self.settings.stepping
            timed = self._sample(told.max_batch) if self._painter.steps_with_others else None
            self.open_seats(told, timed)

    def _sample(self, steps: int) -> BodiesRequest:
        """Give a request for one picture of the default size."""
        asked: dict[str, Any] = {
            **{name: sum(self.offer.ranges[name]) / 2 for name in ("height_cm", "weight_kg")},
            **self.offer.defaults,
            "count": 1,
            "output_format": "png",
            "steps": steps,
        }
        return BodiesRequest(BodiesParams(**asked))

    def wish(self, request: BodiesRequest) -> Wish:
        """Say what a request will need."""
        plan = self._plan(request.params)
        bucket = (self.settings.name, plan.height_px, plan.width_px)
        return Wish(bucket, request.params.count * plan.steps, plan.steps)

    def lowered(self, request: BodiesRequest, steps: int) -> BodiesRequest:
        """Give the request with fewer steps."""
        return replace(request, params=replace(request.params, steps=steps))

    def sit(self, request: BodiesRequest, stages: Stages) -> Sitting[Seat]:
        """Draw the people of one request."""
        params, painter = request.params, self._painter
        plan, seeds = self._plan(params), consecutive(params.seed, params.count)
        with stages.stage("text"):
            words = painter.words(prompting.prompt(_body(params)), prompting.NEGATIVE)
        with stages.stage("drawing"):
            seats = painter.seats(words, plan, seeds, self.at_once(request))
            pictures = yield from self._drawn(seats, stages)
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
            "runtime": self._assembled.get().told(),
        }
        return Outcome(tuple(encoded), {**told, **asdict(plan)})

    def _drawn(
        self, seats: Iterator[Seat], stages: Stages
    ) -> Generator[Seat, None, list[NDArray[np.uint8]]]:
        """Have every seat stepped, by itself where the network only visits."""
        painter, pictures = self._painter, list[NDArray[np.uint8]]()
        with painter.at_work():
            for seat in seats:
                if painter.steps_with_others:
                    yield seat
                else:
                    self.step_alone(seat, stages)
                pictures += painter.developed(seat)
        return pictures

    def advance(self, states: Sequence[Seat]) -> None:
        """Take one step of every seat of one size; whatever is raised, none has moved."""
        self._painter.advance(states)

    def gauges(self) -> Mapping[str, float]:
        """Give nothing of its own."""
        return {}

    def _plan(self, params: BodiesParams) -> Plan:
        return Plan(
            height_px=needed(params.height_px, "bodies.defaults.height_px"),
            width_px=needed(params.width_px, "bodies.defaults.width_px"),
            steps=needed(params.steps, "bodies.defaults.steps"),
            guidance_scale=needed(params.guidance_scale, "bodies.defaults.guidance_scale"),
            solver=self.settings.solver,
        )

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


def _check_sizes(offer: Offer, grain_px: int) -> None:
    """Raise BadSetting where a size is offered that the networks cannot draw."""
    for name in ("width_px", "height_px"):
        if offer.grains().get(name, 1) % grain_px:
            raise BadSetting(f"bodies.multiples.{name}: must be a multiple of {grain_px}")


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
