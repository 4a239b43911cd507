"""IDM-VTON as a worker uses it: what it has seen is remembered, what it is asked for is painted."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handlers.cache import LruCache, Once, content_key
from handlers.diffusion import (
    assembly,
    conditioning,
    denoising,
    features,
    garment_pass,
    latents,
    mixing,
)
from handlers.diffusion.conditioning import Words
from handlers.diffusion.denoising import GarmentView, PersonView, Plan, Step
from handlers.diffusion.features import Look, Seen
from handlers.diffusion.features_store import FeatureStore
from handlers.diffusion.features_tier import Address
from handlers.diffusion.loading import Networks
from handlers.diffusion.mixing import Walk
from handlers.diffusion.noise import SeededNoise
from handlers.diffusion.settings import Caches
from handlers.seats import counted
from handlers.vision import planes

Rgb = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Seeds:
    """One seed per picture, and where they are wished for those of the DensePose latents."""

    pictures: Sequence[int]
    poses: Sequence[int] | None = None

    def only(self, index: int, count: int = 1) -> "Seeds":
        """Give those of `count` pictures from one on."""
        some = slice(index, index + count)
        return Seeds(self.pictures[some], None if self.poses is None else self.poses[some])


class Studio:
    """Paints people in garments; all pictures are (H, W, 3) uint8 RGB of the painted frame.

    one_by_one: several pictures of a plan after each other, in the memory of one. features: where
    what the garment network sees is kept, with that of other models, which `digest` tells apart.
    nbytes: what the networks occupy and the caches may.
    """

    def __init__(
        self,
        nets: Networks,
        sizes: Caches,
        *,
        one_by_one: bool = False,
        features: FeatureStore | None = None,
        digest: str = "",
    ) -> None:
        self._nets = nets
        self._sizes = sizes
        self._one_by_one = one_by_one
        self._features = features or FeatureStore()
        self._digest = digest
        self._blank = Once(lambda: conditioning.blank(nets))
        caches_bytes = sizes.person_bytes + sizes.garment_bytes + sizes.text_bytes
        self.nbytes = assembly.held_bytes(nets) + caches_bytes
        self.forget()

    @property
    def steps_with_others(self) -> bool:
        """Whether the networks stay on the device between two steps."""
        return self._nets.tryon not in self._nets.visits

    def forget(self) -> None:
        """Remember nobody and nothing, and count anew."""
        sizes, max_age_s = self._sizes, self._sizes.max_age_s
        self.persons: LruCache[PersonView] = LruCache(sizes.person_bytes, max_age_s)
        self.garments: LruCache[GarmentView] = LruCache(sizes.garment_bytes, max_age_s)
        self.texts: LruCache[Words] = LruCache(sizes.text_bytes, max_age_s)

    def forget_pictures(self, pictures: Collection[str]) -> int:
        """Drop the views that were made of these pictures; how many they were."""
        return self.persons.forget(pictures) + self.garments.forget(pictures)

    def sweep(self) -> None:
        """Drop what is too old."""
        for cache in (self.persons, self.garments, self.texts):
            cache.sweep()

    @torch.inference_mode()
    def person(
        self,
        picture: Rgb,
        mask: Rgb,
        densepose: Rgb,
        *,
        whole: bool,
        of: Collection[str] = (),
    ) -> tuple[PersonView, bool]:
        """See a person, or remember them; mask: (H, W) uint8, repainted from half white on.

        whole: also what is under the mask, which a strength below 1 starts from; of: the pictures
        that came in, by `part_digest`.
        """
        height_px, width_px = picture.shape[:2]

        def look() -> PersonView:
            image = planes.image_planes(picture, width_px, height_px)
            pose = planes.image_planes(densepose, width_px, height_px)
            where = planes.mask_plane(mask, width_px, height_px)
            return denoising.look_at_person(
                self._nets, image[None], where[None], pose[None], whole=whole
            )

        key = (content_key(picture), content_key(mask), content_key(densepose), whole)
        return self.persons.get_or_compute(key, look, of)

    @torch.inference_mode()
    def garment(
        self, picture: Rgb, description: str, of: Collection[str] = ()
    ) -> tuple[GarmentView, bool]:
        """See a garment described in words, or remember it; of: as of a person."""
        height_px, width_px = picture.shape[:2]
        key = content_key(picture, description)

        def look() -> GarmentView:
            image = planes.image_planes(picture, width_px, height_px)
            seen = conditioning.clip_pixels(self._nets, [picture])
            words, blank = self._words(description), self._blank.get()
            view = denoising.look_at_garment(self._nets, image[None], seen, words, blank)
            record = hashlib.sha256(f"{self._digest} {key}".encode()).hexdigest()
            return replace(view, record=record)

        view, hit = self.garments.get_or_compute(key, look, of)
        self._features.origins.note(view.record or "", of)
        return view, hit

    def _words(self, description: str) -> Words:
        prompts = [conditioning.prompts(description)]
        return self.texts.get_or_compute(
            description, lambda: conditioning.encode_words(self._nets, prompts)
        )[0]

    @torch.inference_mode()
    def looks(self, garment: GarmentView, plans: Sequence[Plan]) -> list[Look]:
        """Say what the garment network will be asked by `plans`, each timestep once."""
        found: dict[float, Look] = {}
        for plan in plans:
            for look in garment_pass.looks(self._nets, garment, plan):
                found.setdefault(look.number, look)
        return list(found.values())

    @torch.inference_mode()
    def see(self, looks: Sequence[Look]) -> list[Seen]:
        """See a garment at several timesteps, as one batch, and keep what is seen."""
        with self._nets.visits.of(self._nets.garment):
            return features.see(self._nets, looks, self._features)

    def pin(self, garment: GarmentView, entry_bytes: int, numbers: Sequence[float]) -> int:
        """Let a garment stay, which takes so much per timestep; give its bytes in all.

        Raises PinsFull.
        """
        record = garment.record or ""
        size_bytes = entry_bytes * len({*numbers, *self._features.timesteps(record)})
        self._features.pin(record, size_bytes)
        return size_bytes

    def forget_garment(self, garment: GarmentView) -> int:
        """Forget what was seen of a garment, and its pin; give the bytes that are free."""
        return self._features.forget(garment.record or "")

    @torch.inference_mode()
    def paint(
        self,
        person: PersonView,
        garment: GarmentView,
        plan: Plan,
        seeds: Seeds,
        on_step: Callable[[Step], None],
    ) -> NDArray[np.uint8]:
        """Paint the plan's pictures, (rows, H, W, 3); each is what its seed gives alone."""
        if not self._one_by_one:
            return self._painted(person, garment, plan, seeds, on_step)
        alone, of = replace(plan, rows=1), plan.rows
        return np.concatenate(
            [
                self._painted(person, garment, alone, seeds.only(index), _nth(on_step, index, of))
                for index in range(of)
            ]
        )

    def seats(
        self, person: PersonView, garment: GarmentView, plan: Plan, seeds: Seeds, at_once: int
    ) -> "Iterator[Seat]":
        """Give seats of `at_once` pictures at most, each when the one before is done."""
        most = 1 if self._one_by_one else at_once
        for first in range(0, plan.rows, most):
            rows = min(most, plan.rows - first)
            walk = self._walk(person, garment, replace(plan, rows=rows), seeds.only(first, rows))
            yield Seat(self, walk, first, plan.rows)

    @torch.inference_mode()
    def _walk(self, person: PersonView, garment: GarmentView, plan: Plan, seeds: Seeds) -> Walk:
        noise = SeededNoise(seeds.pictures, seeds.poses)
        run = denoising.prepare(self._nets, person, garment, plan, noise)
        if run.garment_record is not None:
            self._features.expect([Address(run.garment_record, one) for one in run.numbers])
        return Walk.begin(run, noise)

    @torch.inference_mode()
    def advance(self, walks: Sequence[Walk]) -> None:
        """Take one step of every walk; whatever is raised, none has moved."""
        mixing.advance(self._nets, walks, self._features)

    @torch.inference_mode()
    def developed(self, walk: Walk) -> NDArray[np.uint8]:
        """Give the pictures of a walk whose steps are taken, (rows, H, W, 3)."""
        return self._decoded(walk.now)

    def _painted(
        self,
        person: PersonView,
        garment: GarmentView,
        plan: Plan,
        seeds: Seeds,
        on_step: Callable[[Step], None],
    ) -> NDArray[np.uint8]:
        noise = SeededNoise(seeds.pictures, seeds.poses)
        run = denoising.prepare(self._nets, person, garment, plan, noise)
        painted = mixing.denoise(self._nets, run, noise, on_step, self._features)
        return self._decoded(painted)

    def _decoded(self, painted: Tensor) -> NDArray[np.uint8]:
        # One by one: at full size the decoder needs more memory than all the rest.
        return np.concatenate(
            [latents.to_rgb(latents.decode(self._nets, row[None])) for row in painted]
        )


@dataclass(frozen=True, slots=True)
class Seat:
    """Pictures of a request among those that step.

    before: pictures of the request that were painted in earlier seats; of: of all its seats.
    """

    studio: Studio
    walk: Walk
    before: int
    of: int

    @property
    def rows(self) -> int:
        """How many pictures take the step."""
        return self.walk.run.plan.rows

    @property
    def steps_left(self) -> int:
        """How many steps there are still to take."""
        return self.walk.steps_left

    @property
    def progress(self) -> tuple[int, int]:
        """How many steps of its request were taken, of how many."""
        walked = self.walk.index
        return counted(self.before, self.rows, self.of, walked, walked + self.steps_left)

    @property
    def is_sound(self) -> bool:
        """Whether the latents are numbers."""
        return self.walk.is_sound

    def preview(self) -> NDArray[np.uint8]:
        """Show what the first picture would become, a pixel per latent cell."""
        meant = self.walk.now if self.walk.clean is None else self.walk.clean
        shown: NDArray[np.uint8] = latents.preview_rgb(meant[:1])[0]
        return shown


def _nth(on_step: Callable[[Step], None], index: int, of: int) -> Callable[[Step], None]:
    """Count the steps of the `index`-th of `of` runs on from those before."""
    return lambda step: on_step(replace(step, index=index * step.of + step.index, of=of * step.of))
