"""What a worker may be asked for, as typed values: a try-on, an analysis of a person, new people.

A kind of request names the pictures of a row that it must and may have, and reads itself from
them strictly: what is not understood is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self

from handlers.errors import BadParameters
from handlers.forgetting import part_digest
from handlers.options import Choice, option_faults, read_options
from handlers.settings import Offer


class Request(Protocol):
    """A kind of request; pictures are encoded, by the names of their parts."""

    required: ClassVar[tuple[str, ...]]
    optional: ClassVar[tuple[str, ...]]

    @classmethod
    def read(cls, params: Mapping[str, Any], pictures: Mapping[str, bytes], offer: Offer) -> Self:
        """Read a row whose parts are complete; raises BadParameters naming each wrong field."""
        ...


@dataclass(frozen=True, slots=True)
class Params:
    """The options of one try-on; None leaves an option to the engine.

    `strength` 1 repaints from noise alone, less starts from the photo; `keep_unmasked` restores
    every pixel outside the mask exactly; `pose_seed` draws the pose's latent by itself, as the
    original does, and is else derived from `seed`. `preset` is a name for the options after it and
    a sampler: guidance in the steps from and until a share of the schedule alone (arXiv
    2404.07724), and the network's deep layers in every `step_cache`-th step (arXiv 2312.00858).
    """

    category: Choice
    output_format: str
    width_px: int | None = None
    height_px: int | None = None
    seed: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    strength: float | None = None
    num_samples: int | None = None
    auto_crop: bool | None = None
    keep_unmasked: bool | None = None
    pose_seed: int | None = None
    garment_description: str | None = None
    preset: Choice | None = None
    guidance_from: float | None = None
    guidance_until: float | None = None
    step_cache: int | None = None


@dataclass(frozen=True, slots=True)
class TryOnRequest:
    """Encoded pictures and options.

    `mask` is white where the person may be changed, `densepose` the surface of the body in
    DensePose's colours; both lie on the person photo, and are made from it when absent.
    """

    params: Params
    person_image: bytes
    garment_image: bytes
    mask: bytes | None = None
    densepose: bytes | None = None

    required: ClassVar[tuple[str, ...]] = ("person_image", "garment_image")
    optional: ClassVar[tuple[str, ...]] = ("mask", "densepose")

    @property
    def person_parts(self) -> frozenset[str]:
        """Name the pictures that tell of the person."""
        given = (self.person_image, self.mask, self.densepose)
        return frozenset(part_digest(one) for one in given if one is not None)

    @property
    def garment_parts(self) -> frozenset[str]:
        """Name the picture of the garment."""
        return frozenset({part_digest(self.garment_image)})

    @classmethod
    def read(cls, params: Mapping[str, Any], pictures: Mapping[str, bytes], offer: Offer) -> Self:
        """Read a row whose parts are complete; raises BadParameters naming each wrong field."""
        return cls(read_options(Params, params, offer), **pictures)


@dataclass(frozen=True, slots=True)
class GarmentParams:
    """What a garment is made ready for: a category, the presets' steps, to stay or to go.

    Without presets, the steps that a request has which names none. Not `pinned`: it is forgotten.
    """

    category: Choice
    garment_description: str | None = None
    presets: tuple[str, ...] = ()
    pinned: bool = True


@dataclass(frozen=True, slots=True)
class GarmentRequest:
    """The encoded picture of a garment, to be seen before anybody tries it on, or to be forgotten.

    It is asked for as the task "garment" of those who dress people.
    """

    params: GarmentParams
    garment_image: bytes

    required: ClassVar[tuple[str, ...]] = ("garment_image",)
    optional: ClassVar[tuple[str, ...]] = ()

    @property
    def garment_parts(self) -> frozenset[str]:
        """Name the picture of the garment."""
        return frozenset({part_digest(self.garment_image)})

    @classmethod
    def read(cls, params: Mapping[str, Any], pictures: Mapping[str, bytes], offer: Offer) -> Self:
        """Read a row whose parts are complete; raises BadParameters naming each wrong field."""
        own = ("task", "presets", "pinned")
        told = {name: value for name, value in params.items() if name not in own}
        faults = option_faults(GarmentParams, told, offer)
        presets, pinned = params.get("presets", []), params.get("pinned", True)
        known = tuple(offer.named())
        if not isinstance(presets, list) or any(one not in known for one in presets):
            faults["presets"] = f"must be a list of {', '.join(known) or 'no presets'}"
        if not isinstance(pinned, bool):
            faults["pinned"] = "must be true or false"
        if faults:
            raise BadParameters("The parameters are not valid.", {"fields": faults})
        return cls(GarmentParams(**told, presets=tuple(presets), pinned=pinned), **pictures)


@dataclass(frozen=True, slots=True)
class Dressing(TryOnRequest):
    """A try-on, for an engine that also takes garments ahead of it."""

    tasks: ClassVar[Mapping[str, type[Request]]] = MappingProxyType({"garment": GarmentRequest})


@dataclass(frozen=True, slots=True)
class PersonParams:
    """The options of one analysis: what would be worn where; None leaves it to the engine."""

    category: Choice
    auto_crop: bool | None = None


@dataclass(frozen=True, slots=True)
class PersonRequest:
    """The encoded photo of a person, to be understood."""

    params: PersonParams
    person_image: bytes

    required: ClassVar[tuple[str, ...]] = ("person_image",)
    optional: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def read(cls, params: Mapping[str, Any], pictures: Mapping[str, bytes], offer: Offer) -> Self:
        """Read a row whose parts are complete; raises BadParameters naming each wrong field."""
        return cls(read_options(PersonParams, params, offer), **pictures)


@dataclass(frozen=True, slots=True)
class BodiesParams:
    """The people to draw; None leaves an option to the engine.

    Picture i is that of `seed` + i. Every word is a choice from the offer's names: no text of a
    caller's has a way into a prompt.
    """

    count: int
    height_cm: float
    weight_kg: float
    output_format: str
    ethnicity: Choice | None = None
    gender: Choice | None = None
    age_group: Choice | None = None
    body_type: Choice | None = None
    skin_tone: Choice | None = None
    pose: Choice | None = None
    seed: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    width_px: int | None = None
    height_px: int | None = None


@dataclass(frozen=True, slots=True)
class BodiesRequest:
    """People to draw from numbers and choices; no picture goes in."""

    params: BodiesParams

    required: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def read(cls, params: Mapping[str, Any], pictures: Mapping[str, bytes], offer: Offer) -> Self:
        """Read a row whose parts are complete; raises BadParameters naming each wrong field."""
        return cls(read_options(BodiesParams, params, offer), **pictures)
