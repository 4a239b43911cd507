"""The sections of a model's YAML as frozen values; a wrong key or type stops the load.

Config holds the numbers, this module their names: there is no default here to disagree with it.
"""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")
N = TypeVar("N", int, float)
Plain = bool | int | float | str


class BadSetting(ValueError):
    """A setting is missing, unknown or of the wrong type; the message names it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in pixels: what comes in, what goes out."""

    min_width_px: int
    min_height_px: int
    default_width_px: int
    default_height_px: int
    max_side_px: int
    max_input_pixels: int


@dataclass(frozen=True, slots=True)
class Encoding:
    """Quality per format: JPEG and WebP 1..100, PNG compression level 0..9."""

    jpeg_quality: int
    webp_quality: int
    png_compression: int


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Requests before the worker says it is ready: rounds over (width, height) in pixels."""

    rounds: int
    sizes_px: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class HandlerSettings:
    """What every worker reads from the section `handler`; a model's own settings extend it."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class TryOnSettings(HandlerSettings):
    """What every worker that dresses people reads."""

    limits: Limits
    encode: Encoding
    warmup: WarmUp


@dataclass(frozen=True, slots=True)
class Stepping:
    """How requests share steps, where the worker is asked continuously.

    max_batch: pictures of one step at most, fewer where company costs more than it saves;
    preview_steps: a request of so many steps or fewer is a preview; weights: by how much the work
    of a kind counts, a standard request's being 1; ageing, fairness: see handlers.engine.scheduler;
    prepared: only the first so many are prepared ahead of their steps; reserve: this share of a
    deadline is kept in hand, for the way of an answer and for steps that take longer than others;
    preview_jpeg_quality: 1..100, of the pictures of work under way.
    """

    max_batch: int
    ageing: float
    fairness: float
    preview_steps: int
    preview_weight: float
    batch_weight: float
    prepared: int
    reserve: float
    preview_jpeg_quality: int


@dataclass(frozen=True, slots=True)
class CacheSizes:
    """Room for analysed persons and garments, and for how many seconds one is kept at most."""

    person_bytes: int
    garment_bytes: int
    max_age_s: float


@dataclass(frozen=True, slots=True)
class Landmarks:
    """What the body detector is asked for."""

    min_detection_confidence: float


@dataclass(frozen=True, slots=True)
class GeometricSettings(TryOnSettings):
    """Everything the embedded engine reads."""

    cache: CacheSizes
    landmarks: Landmarks
    opencv_threads: int


@dataclass(frozen=True, slots=True)
class Preset:
    """What one name of the option `preset` stands for.

    sampler: how noise becomes latents, which is no option of its own; the others: see the options
    of these names.
    """

    steps: int
    sampler: str
    guidance_from: float
    guidance_until: float
    step_cache: int

    def options(self) -> Mapping[str, Plain]:
        """Give the options that it stands for."""
        return {name: value for name, value in asdict(self).items() if name != "sampler"}


@dataclass(frozen=True, slots=True)
class Offer:
    """What an engine honours, as the gateway publishes it.

    `ranges` are closed intervals, one per option that is a number; `defaults` stand in for
    options that a request leaves out.
    """

    engine: str
    options: tuple[str, ...]
    ranges: Mapping[str, tuple[float, float]]
    defaults: Mapping[str, Plain]
    licence: str
    commercial_use: bool

    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Give the values that each option may have whose values are names."""
        return {}

    def named(self) -> Mapping[str, Preset]:
        """Give what each value of the option `preset` stands for."""
        return {}

    def filled(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give options with those left out: what is given wins, then its preset, then defaults."""
        preset = self.named().get({**self.defaults, **given}.get("preset", ""))
        return {**self.defaults, **(preset.options() if preset else {}), **given}

    def grains(self) -> Mapping[str, int]:
        """Give what the values of options are multiples of, of those that have to be."""
        return {}


@dataclass(frozen=True, slots=True)
class GarmentOffer(Offer):
    """What an engine honours that knows garments (section `tryon` or `analysis`)."""

    categories: tuple[str, ...]
    presets: Mapping[str, Preset] = field(default_factory=dict)

    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Give the values that each option may have whose values are names."""
        presets = {"preset": tuple(self.presets)} if self.presets else {}
        return {"category": self.categories, **presets}

    def named(self) -> Mapping[str, Preset]:
        """Give what each value of the option `preset` stands for."""
        return self.presets


@dataclass(frozen=True, slots=True)
class BodiesOffer(Offer):
    """What an engine honours that draws people (section `bodies`)."""

    choices: Mapping[str, tuple[str, ...]]
    multiples: Mapping[str, int]

    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Give the values that each option may have whose values are names."""
        return self.choices

    def grains(self) -> Mapping[str, int]:
        """Give what the values of options are multiples of, of those that have to be."""
        return self.multiples


def read(kind: type[T], section: object, path: str) -> T:
    """Build `kind`, a dataclass, from a YAML mapping; `path` is the section's name in messages.

    Fields may be scalars, unions of them, tuples, mappings from names, and dataclasses; a mapping
    that the class itself makes may be left out.
    Raises BadSetting naming the key that is missing, unknown or of the wrong type.
    """
    content = _mapping(section, path)
    hints = get_type_hints(kind)
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]  # T is a dataclass
    for key in content:
        if key not in known:
            raise BadSetting(f"{path}.{key}: unknown setting, known are {', '.join(known)}")
    for name, one in known.items():
        if name not in content and one.default_factory is MISSING:
            raise BadSetting(f"{path}.{name}: missing")
    return kind(
        **{
            name: _value(hints[name], content[name], f"{path}.{name}")
            for name in known
            if name in content
        }
    )


def needed(value: N | None, path: str) -> N:
    """Give a number that a request leaves to the section's defaults; raises BadSetting without."""
    if value is None:
        raise BadSetting(f"{path}: missing")
    return value


def _value(kind: Any, value: object, path: str) -> Any:  # noqa: ANN401  any annotated type
    if is_dataclass(kind):
        return read(kind, value, path)  # type: ignore[arg-type]  # a class, not an instance
    if get_origin(kind) is tuple:
        return _tuple(get_args(kind), value, path)
    if get_origin(kind) is Mapping:
        inner = get_args(kind)[1]
        named = _mapping(value, path).items()
        return {str(name): _value(inner, one, f"{path}.{name}") for name, one in named}
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if float in kinds and int not in kinds and type(value) is int:
        return float(value)
    if type(value) not in kinds:
        raise BadSetting(f"{path}: expected {_type_name(kinds)}, found {_kind_name(value)}")
    return value


def _tuple(kinds: tuple[Any, ...], value: object, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise BadSetting(f"{path}: expected a list, found {_kind_name(value)}")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise BadSetting(f"{path}: expected {len(kinds)} values, found {len(value)}")
    return tuple(
        _value(one, item, f"{path}[{index}]")
        for index, (one, item) in enumerate(zip(kinds, value, strict=True))
    )


def _mapping(value: object, path: str) -> Mapping[Any, object]:
    if not isinstance(value, Mapping):
        raise BadSetting(f"{path}: expected a mapping, found {_kind_name(value)}")
    return value


def _type_name(kinds: tuple[type, ...]) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", NoneType: "nothing"}
    return " or ".join(words.get(kind, "a text") for kind in kinds)


def _kind_name(value: object) -> str:
    return f"{type(value).__name__} {value!r}"
