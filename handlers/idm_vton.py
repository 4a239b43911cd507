"""IDM-VTON behind TorchServe: a diffusion model paints the person anew, in the garment.

TorchServe imports this file by itself, as the top-level module `idm_vton`, and wants exactly one
class in it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handlers import images, warmup
from handlers.base import Outcome
from handlers.cache import word
from handlers.diffusion import garments_ahead, sampling
from handlers.diffusion.denoising import Plan, Step
from handlers.diffusion.garments_ahead import GarmentSeat
from handlers.diffusion.person_frame import Given, PersonFrame
from handlers.diffusion.settings import IdmVtonSettings
from handlers.diffusion.studio import Seat, Seeds
from handlers.diffusion.wardrobe import Wardrobe
from handlers.engine.tickets import Kind
from handlers.errors import BadParameters
from handlers.images import Size
from handlers.request import Dressing, GarmentParams, GarmentRequest, Params, TryOnRequest
from handlers.seats import Sitting, Wish
from handlers.seeds import consecutive
from handlers.settings import BadSetting, needed
from handlers.stages import Stages
from handlers.stepping import SteppingHandler
from handlers.understanding.analyst import Analyst
from handlers.vision import crop
from handlers.vision.frame import Frame

_WARM_UP_STEPS: Final = 2
_WORDS: Final = {"upper_body": "shirt", "lower_body": "trousers", "dresses": "dress"}


class IdmVtonHandler(SteppingHandler[TryOnRequest | GarmentRequest, Seat | GarmentSeat]):
    """Understands the person, masks what the garment covers, and paints that part anew."""

    request_type = Dressing
    stages = ("pose", "segmentation", "garment_transfer", "encode")
    step_stage = "garment_transfer"
    settings: IdmVtonSettings

    def load(self) -> None:
        """Load the networks.

        Raises BadCheckpoint naming the file and key, BadSetting naming the setting that is wrong.
        """
        settings = self.settings
        self._analyst = Analyst(settings.understanding)
        self._wardrobe = Wardrobe(settings, self.offer.names()["category"])
        samplers = {f"tryon.presets.{n}": one.sampler for n, one in self.offer.named().items()}
        for where, sampler in {"handler": settings.sampler, **samplers}.items():
            if sampler not in sampling.SAMPLERS:
                known = ", ".join(sampling.SAMPLERS)
                raise BadSetting(f"{where}.sampler: expected one of {known}, found {sampler}")
        if settings.garment_latents not in ("mode", "sample"):
            raise BadSetting("handler.garment_latents: expected one of mode, sample")
        first = self._params(Params("upper_body", "png"))
        self._plan(first)
        with self._wardrobe.studio(first.category):
            return

    def warm_up(self) -> None:
        """Try on shipped pictures in a few steps, then forget them."""
        for request in warmup.requests(self.settings.warmup):
            params = self._params(request.params, steps=_WARM_UP_STEPS)
            self.run(replace(request, params=params), Stages((), lambda *_: None))
        if self.is_continuous:
            self._forget()
            self.open_seats(self.settings.stepping, self._sample())
        self._forget()
        self._wardrobe.features.is_rehearsal = False

    def _sample(self) -> TryOnRequest | None:
        """Give a request that shows what steps cost; None where networks visit: none is seated."""
        asked = next(warmup.requests(replace(self.settings.warmup, rounds=1)))
        with self._wardrobe.studio(asked.params.category) as studio:
            if not studio.steps_with_others:
                return None
        steps = self.settings.stepping.max_batch
        return replace(asked, params=self._params(asked.params, steps=steps))

    def wish(self, request: TryOnRequest | GarmentRequest) -> Wish:
        """Say what a request will need."""
        model = self._wardrobe.name(request.params.category)
        if isinstance(request, GarmentRequest):
            plans = self._plans(request.params)
            steps = sum(plan.steps for plan in plans)
            bucket = (f"{model} garments", plans[0].height_px, plans[0].width_px)
            return Wish(bucket, steps, steps, Kind.BATCH)
        plan = self._plan(request.params)
        bucket = (model, plan.height_px, plan.width_px)
        return Wish(bucket, plan.rows * plan.walked, plan.steps)

    def lowered(
        self, request: TryOnRequest | GarmentRequest, steps: int
    ) -> TryOnRequest | GarmentRequest:
        """Give the request with fewer steps; a garment is made ready for all or none."""
        if isinstance(request, GarmentRequest):
            return request
        return replace(request, params=replace(request.params, steps=steps))

    def sit(
        self, request: TryOnRequest | GarmentRequest, stages: Stages
    ) -> Sitting[Seat | GarmentSeat]:
        """Serve one request; raises HandlerError for pictures that do not serve."""
        if isinstance(request, GarmentRequest):
            return self._made_ready(request, stages)
        return self._dressed(request, stages)

    def _made_ready(self, request: GarmentRequest, stages: Stages) -> Sitting[Seat | GarmentSeat]:
        params, cloth = request.params, self._cloth(request, stages)
        plans, at_once = self._plans(params), self.settings.stepping.max_batch
        with stages.stage("garment_transfer"), self._wardrobe.studio(params.category) as studio:
            garment, _ = studio.garment(cloth, _description(params), request.garment_parts)
            if not params.pinned:
                return garments_ahead.forgotten(studio, garment)
            at_once = min(at_once, self.at_once(request))
            return (yield from garments_ahead.made_ready(studio, garment, plans, at_once))

    def _plans(self, params: GarmentParams) -> list[Plan]:
        """Give runs that take every timestep that the garment is made ready for."""
        if self.settings.garment_latents == "sample":
            fault = "garments are drawn anew for each request here, and none is kept"
            raise BadParameters("The parameters are not valid.", {"fields": {"task": fault}})
        bare = Params(params.category, "png")
        named = [self.offer.filled({"preset": name}) for name in params.presets]
        return [self._plan(replace(bare, **one)) for one in named or [self.offer.filled({})]]

    def _dressed(self, request: TryOnRequest, stages: Stages) -> Sitting[Seat | GarmentSeat]:
        params = request.params
        seen, cloth = self._seen(request, stages), self._cloth(request, stages)
        plan, seeds = self._plan(params), _seeds(params)
        with stages.stage("garment_transfer"), self._wardrobe.studio(params.category) as studio:
            shown, whole = (seen.picture, seen.mask, seen.densepose), not plan.whole_noise
            person, person_hit = studio.person(*shown, whole=whole, of=request.person_parts)
            of = request.garment_parts
            garment, garment_hit = studio.garment(cloth, _description(params), of)
            known = {"person": word(person_hit), "garment": word(garment_hit)}
            if studio.steps_with_others:
                developed, looks = [], 0
                at_once = self.at_once(request)
                for seat in studio.seats(person, garment, plan, seeds, at_once):
                    yield seat
                    developed.append(studio.developed(seat.walk))
                    looks += seat.walk.looks
                painted = np.concatenate(developed)
                known["features"] = word(looks == 0)
            else:
                painted = studio.paint(person, garment, plan, seeds, _telling(stages))
        told = _told(params, plan, seeds) | {"cache": known}
        with stages.stage("encode"):
            return self._outcome(params, seen, painted, told)

    def _outcome(
        self, params: Params, seen: PersonFrame, painted: NDArray[np.uint8], told: dict[str, Any]
    ) -> Outcome:
        results = [seen.result(one, keep_unmasked=bool(params.keep_unmasked)) for one in painted]
        wished, photo = params.output_format, seen.frame.photo
        encoded = [images.encode(one, wished, self.settings.encode) for one in results]
        kept = float(np.mean([images.equal_share(one, photo) for one in results]))
        seen_of_it = {
            "category": params.category,
            "width_px": photo.shape[1],
            "height_px": photo.shape[0],
            "output_format": wished,
            "kept_share": round(kept, 4),
            "runtime": dict(self._wardrobe.told(params.category)),
        }
        return Outcome(tuple(encoded), {**told, **seen_of_it, **seen.told()})

    def may_begin(self, request: TryOnRequest | GarmentRequest) -> bool:
        """Say whether the request's model is there, or may come without another's leaving work."""
        return self._wardrobe.at_hand(request.params.category)

    def advance(self, states: Sequence[Seat | GarmentSeat]) -> None:
        """Take one step of every seat of a bucket; whatever is raised, none has moved."""
        walks = [seat.walk for seat in states if isinstance(seat, Seat)]
        if walks:
            states[0].studio.advance(walks)
        else:
            garments_ahead.advance([seat for seat in states if isinstance(seat, GarmentSeat)])

    def gauges(self) -> Mapping[str, float]:
        """Give the counters of models and caches."""
        return self._wardrobe.gauges()

    def forget_pictures(self, pictures: Collection[str]) -> int:
        """Drop what was made of these pictures; how many entries it was."""
        return self._analyst.forget_pictures(pictures) + self._wardrobe.forget_pictures(pictures)

    def sweep(self) -> None:
        """Drop what is too old."""
        self._analyst.sweep()
        self._wardrobe.sweep()

    def _forget(self) -> None:
        self._analyst.forget()
        self._wardrobe.forget()

    def _seen(self, request: TryOnRequest, stages: Stages) -> PersonFrame:
        with stages.stage("decode"):
            frame = self._frame(request)
            limit = self.settings.limits.max_input_pixels
            mask, pose = request.mask, request.densepose
            given_mask = None if mask is None else images.decode_mask(mask, limit)
            given_pose = None if pose is None else images.decode(pose, "densepose", limit)
        understood = None
        if given_mask is None or given_pose is None:
            understood = self._analyst.understand(self._shrunk(frame), stages, request.person_parts)
        with stages.stage("segmentation"):
            return PersonFrame.of(
                frame,
                Given(given_mask, given_pose),
                understood,
                request.params.category,
                self.settings.arm_width_px,
            )

    def _frame(self, request: TryOnRequest) -> Frame:
        settings, params = self.settings, request.params
        limits, sizes = settings.limits, settings.frames
        photo = images.decode(request.person_image, "person_image", limits.max_input_pixels)
        source = Size(photo.shape[1], photo.shape[0])
        size = images.result_size(source, (params.width_px, params.height_px), limits)
        return Frame.of(
            images.resize(photo, size),
            sizes.painted_width_px,
            sizes.painted_height_px,
            auto_crop=params.auto_crop is not False,
        )

    def _shrunk(self, frame: Frame) -> NDArray[np.uint8]:
        sizes = self.settings.frames
        size = (sizes.understood_width_px, sizes.understood_height_px)
        return crop.resized(crop.cropped(frame.photo, frame.box), *size)

    def _cloth(self, request: TryOnRequest | GarmentRequest, stages: Stages) -> NDArray[np.uint8]:
        sizes, limit = self.settings.frames, self.settings.limits.max_input_pixels
        with stages.stage("decode"):
            cloth = images.decode(request.garment_image, "garment_image", limit)
            return crop.resized(cloth, sizes.painted_width_px, sizes.painted_height_px)

    def _params(self, bare: Params, **wished: Any) -> Params:  # noqa: ANN401  any option
        """Give the options of a request of our own, defaults filled in as for a caller's."""
        defaults: dict[str, Any] = {**self.offer.defaults, **wished}
        return replace(bare, **defaults)

    def _plan(self, params: Params) -> Plan:
        frames, preset = self.settings.frames, self.offer.named().get(params.preset or "")
        plan = Plan(
            rows=params.num_samples or 1,
            height_px=frames.painted_height_px,
            width_px=frames.painted_width_px,
            steps=needed(params.steps, "tryon.defaults.steps"),
            guidance_scale=needed(params.guidance_scale, "tryon.defaults.guidance_scale"),
            strength=needed(params.strength, "tryon.defaults.strength"),
            sampler=preset.sampler if preset else self.settings.sampler,
            guidance_from=needed(params.guidance_from, "tryon.defaults.guidance_from"),
            guidance_until=needed(params.guidance_until, "tryon.defaults.guidance_until"),
            step_cache=needed(params.step_cache, "tryon.defaults.step_cache"),
            garment_latents=self.settings.garment_latents,
        )
        if plan.steps * plan.strength < 1:
            fault = f"must leave one of {plan.steps} steps at least"
            raise BadParameters("The parameters are not valid.", {"fields": {"strength": fault}})
        return plan


def _telling(stages: Stages) -> Callable[[Step], None]:
    return lambda step: stages.progress("garment_transfer", step.index + 1, step.of)


def _seeds(params: Params) -> Seeds:
    count = params.num_samples or 1
    poses = None if params.pose_seed is None else consecutive(params.pose_seed, count)
    return Seeds(consecutive(params.seed, count), poses)


def _told(params: Params, plan: Plan, seeds: Seeds) -> dict[str, Any]:
    return {
        "preset": params.preset,
        "sampler": plan.sampler,
        "approximate": list(plan.approximate),
        "seed": seeds.pictures[0],
        "seeds": list(seeds.pictures),
        "steps": plan.steps,
        "guidance_scale": plan.guidance_scale,
        "strength": plan.strength,
    }


def _description(params: Params | GarmentParams) -> str:
    return params.garment_description or _WORDS[params.category]
