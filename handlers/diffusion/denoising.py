"""The try-on itself: from what was seen of person and garment to painted latents.

The order of random draws is the original's, so that equal seeds give equal noise: where the
strength is below 1 the picture's latents, then the start, the masked person, the DensePose
picture, the garment, and one draw per step of an ancestral sampler.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from handlers.diffusion import conditioning, latents, sampling
from handlers.diffusion.attention import (
    GarmentFeatures,
    PromptKeys,
    prompt_keys,
    transformer_blocks,
)
from handlers.diffusion.conditioning import Blank, Text, Words
from handlers.diffusion.features import Look
from handlers.diffusion.latents import Posterior
from handlers.diffusion.loading import Networks
from handlers.vision import planes
from handlers.vision.planes import Planes

Purpose: TypeAlias = Literal["picture", "start", "masked", "densepose", "garment", "step"]

_NO_GUIDANCE: Final = 1.0
_CHANNELS: Final = 4


class Noise(Protocol):
    """Where random numbers come from."""

    def draw(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        """Give standard normal float32 numbers of `shape`, (rows, 4, h, w)."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How to paint: `rows` pictures at once of height_px x width_px.

    A guidance_scale of 1 or less means no guidance; a strength below 1 starts from the photo.
    garment_latents: "mode" sees a garment as the autoencoder thinks likeliest, the same for every
    seed; "sample" draws it, as the original does. Approximate: guidance in the steps from
    `guidance_from` until `guidance_until` alone, shares of the schedule (arXiv 2404.07724), and the
    network's deep layers in every `step_cache`-th step alone (arXiv 2312.00858).
    """

    rows: int
    height_px: int
    width_px: int
    steps: int
    guidance_scale: float
    strength: float
    sampler: str = "ddpm"
    garment_latents: str = "mode"
    guidance_from: float = 0.0
    guidance_until: float = 1.0
    step_cache: int = 1

    @property
    def guided(self) -> bool:
        """Whether an unconditional prediction is made beside the conditional one."""
        return self.guidance_scale > _NO_GUIDANCE

    @property
    def walked(self) -> int:
        """How many of the steps are taken: a strength below 1 leaves out the early ones."""
        return min(int(self.steps * self.strength), self.steps)

    @property
    def approximate(self) -> tuple[str, ...]:
        """Name what makes the run another than that of its steps and sampler alone."""
        part = self.guided and (self.guidance_from > 0 or self.guidance_until < 1)
        used = {"guidance_interval": part, "step_cache": self.step_cache > 1}
        return tuple(name for name, is_used in used.items() if is_used)

    def guided_at(self, index: int) -> bool:
        """Whether the step with this number, of those taken, makes an unconditional prediction."""
        share = (self.steps - self.walked + index) / self.steps
        return self.guided and self.guidance_from <= share < self.guidance_until

    def refreshes(self, index: int) -> bool:
        """Whether the step with this number runs the deep layers, and does not use what they said.

        They have said nothing yet of unconditional rows where guidance begins.
        """
        begins = self.guided_at(index) and not self.guided_at(index - 1)
        return index % self.step_cache == 0 or begins

    @property
    def whole_noise(self) -> bool:
        """Whether the run starts from noise alone, and not from the photo."""
        return self.strength >= 1


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person as the network sees them; one row, or one per picture of the plan.

    mask: (rows, 1, h, w) at the latents' size, 1 = repaint; picture: the whole photo, which only a
    strength below 1 starts from.
    """

    mask: Tensor
    masked: Posterior
    densepose: Posterior
    picture: Posterior | None

    @property
    def nbytes(self) -> int:
        """What the tensors occupy, in bytes."""
        seen = (self.masked, self.densepose, self.picture)
        return self.mask.nbytes + sum(one.nbytes for one in seen if one)


@dataclass(frozen=True, slots=True)
class GarmentView:
    """A garment as the networks see it; one row, or one per picture of the plan.

    tokens: (rows, queries, width) of its picture, no_tokens: the same of an all-zero picture.
    record: what it is called where others may ask for the same; None: it is this request's alone.
    """

    picture: Posterior
    text: Text
    prompt: Text
    negative: Text
    tokens: Tensor
    no_tokens: Tensor
    record: str | None = None

    @property
    def nbytes(self) -> int:
        """What the tensors occupy that are its own, in bytes; others share the unconditional."""
        texts = (self.text, self.prompt)
        words = sum(one.hidden.nbytes + one.pooled.nbytes for one in texts)
        return self.picture.nbytes + words + self.tokens.nbytes


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that stays the same over the steps of one run; unconditional rows come first.

    numbers: the schedule's timesteps as the host knows them. Of a garment that is the same for all
    pictures there is one row; see `GarmentView` for its record.
    """

    plan: Plan
    schedule: sampling.Schedule
    start: Tensor
    fixed: Tensor
    garment_latents: Tensor
    garment_text: Tensor
    prompt: tuple[PromptKeys, ...]
    text_embeds: Tensor
    time_ids: Tensor
    numbers: tuple[float, ...]
    garment_record: str | None = None

    def look(self, index: int) -> Look:
        """Say what the garment network is asked at the step with this number."""
        return Look(
            self.garment_latents,
            self.garment_text,
            self.schedule.timesteps[index],
            self.numbers[index],
            self.garment_record,
        )

    def spread(self, features: GarmentFeatures) -> GarmentFeatures:
        """Give features for every picture."""
        return tuple(_rows(layer, self.plan.rows) for layer in features)


@dataclass(frozen=True, slots=True)
class Step:
    """One step that was taken: its number from 0, of how many, and what it was made of."""

    index: int
    of: int
    sample: Tensor
    garment: GarmentFeatures
    predicted: Tensor
    latents: Tensor


def look_at_person(
    nets: Networks, image: Planes, mask: Planes, densepose: Planes, *, whole: bool
) -> PersonView:
    """See a person, and `whole`, what is under the mask, too.

    image, densepose: (rows, 3, H, W) in [-1, 1]; mask: (rows, 1, H, W) of 0 and 1, 1 = repaint.
    """
    small = np.ascontiguousarray(planes.latent_mask(mask, nets.factor))
    with nets.visits.of(nets.vae):
        return PersonView(
            mask=torch.from_numpy(small).to(nets.device),
            masked=latents.encode(nets, planes.masked_planes(image, mask)),
            densepose=latents.encode(nets, densepose),
            picture=latents.encode(nets, image) if whole else None,
        )


def look_at_garment(
    nets: Networks, image: Planes, clip_pixels: Tensor, words: Words, blank: Blank
) -> GarmentView:
    """See a garment: image (rows, 3, H, W) in [-1, 1], clip_pixels (rows, 3, 224, 224)."""
    with nets.visits.of(nets.image_encoder):
        seen = conditioning.encode_picture(nets, clip_pixels)
    return GarmentView(
        picture=latents.encode(nets, image),
        text=words.shown,
        prompt=words.worn,
        negative=blank.negative,
        tokens=conditioning.image_tokens(nets, seen),
        no_tokens=blank.tokens,
    )


def prepare(
    nets: Networks, person: PersonView, garment: GarmentView, plan: Plan, noise: Noise
) -> Run:
    """Draw what a run starts from.

    Raises ValueError for a strength that leaves no step, or needs a person who was not seen whole.
    """
    schedule = sampling.schedule(nets.scheduler, plan.sampler, plan.steps, plan.strength)
    numbers = tuple(map(float, schedule.timesteps.tolist()))
    schedule = schedule.to(nets.device)
    size = (plan.height_px // nets.factor, plan.width_px // nets.factor)
    shape = (plan.rows, _CHANNELS, *size)

    def drawn(purpose: Purpose) -> Tensor:
        return noise.draw(purpose, shape).to(nets.device)

    start = _start(person, plan, schedule, drawn)
    masked = person.masked.sample(drawn("masked"))
    densepose = person.densepose.sample(drawn("densepose"))
    mask = person.mask.expand(plan.rows, -1, -1, -1)
    text, embeds, tokens = _paired(garment, plan)
    drawn_garment = garment.picture.sample(drawn("garment"))  # drawn in any case, for those after
    is_drawn = plan.garment_latents == "sample"
    shown = drawn_garment if is_drawn else garment.picture.mode
    with nets.visits.of(*(block.attn2 for block in transformer_blocks(nets.tryon))):
        prompt = prompt_keys(nets.tryon, text, tokens)
    return Run(
        plan=plan,
        schedule=schedule,
        start=start,
        fixed=torch.cat([mask, masked, densepose], dim=1),
        garment_latents=shown.to(nets.dtype),
        garment_text=_rows(garment.text.hidden, len(shown)),
        prompt=prompt,
        text_embeds=embeds,
        time_ids=conditioning.time_ids(nets, plan.height_px, plan.width_px, len(text)),
        numbers=numbers,
        garment_record=None if is_drawn else garment.record,
    )


def _start(
    person: PersonView,
    plan: Plan,
    schedule: sampling.Schedule,
    drawn: Callable[[Purpose], Tensor],
) -> Tensor:
    if plan.whole_noise:
        return drawn("start") * schedule.start_scale
    if person.picture is None:
        raise ValueError("a strength below 1 starts from a person who was seen whole")
    clean = person.picture.sample(drawn("picture"))
    return sampling.started(schedule, clean, drawn("start"))


def _paired(garment: GarmentView, plan: Plan) -> tuple[Tensor, Tensor, Tensor]:
    """Text, pooled text and picture tokens for every row, the unconditional ones first."""
    sides = [(garment.prompt, garment.tokens)]
    if plan.guided:
        sides.insert(0, (garment.negative, garment.no_tokens))
    texts = [_rows(text.hidden, plan.rows) for text, _ in sides]
    pooled = [_rows(text.pooled, plan.rows) for text, _ in sides]
    tokens = [_rows(shown, plan.rows) for _, shown in sides]
    return torch.cat(texts), torch.cat(pooled), torch.cat(tokens)


def _rows(tensor: Tensor, rows: int) -> Tensor:
    return tensor.expand(rows, *tensor.shape[1:])
