"""The words of a picture of a new person, made from numbers and choices alone.

Whoever is drawn is one adult in plain fitted clothes before a plain background, head to toe. No
text of a caller's reaches a prompt: a choice is a key into tables of ours, and nothing else is
taken. A prompt stays below the 77 tokens that CLIP reads.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_UNKNOWN: Final = "person"
_CLOTHES: Final = "plain fitted grey tee and leggings"
_SCENE: Final = "plain light grey background, soft light, head to toe in frame"

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "ethnicity": {
        "asian": "East Asian",
        "black": "Black",
        "hispanic": "Hispanic",
        "indigenous": "Indigenous",
        "middle_eastern": "Middle Eastern",
        "mixed": "mixed race",
        "pacific_islander": "Pacific Islander",
        "south_asian": "South Asian",
        "white": "white",
    },
    "gender": {"woman": "woman", "man": "man"},
    "age_group": {
        "young_adult": "in their late twenties",
        "adult": "in their thirties",
        "middle_aged": "in their fifties",
        "senior": "in their seventies",
    },
    "body_type": {
        "slim": "slim build",
        "athletic": "athletic build",
        "average": "average build",
        "curvy": "curvy build",
        "plus_size": "plus size build",
    },
    "skin_tone": {
        "fair": "fair skin",
        "light": "light skin",
        "medium": "medium skin tone",
        "olive": "olive skin",
        "tan": "tan skin",
        "brown": "brown skin",
        "deep": "deep brown skin",
        "dark": "dark skin",
    },
    "pose": {
        "front": "standing straight, facing the camera, arms slightly apart",
        "relaxed": "standing relaxed, facing the camera, weight on one leg",
        "three_quarter": "standing in three quarter view, arms slightly apart",
    },
}
"""What each choice is called in a prompt, by option."""

NEGATIVE: Final = (
    "nude, naked, nsfw, lingerie, underwear, swimwear, see through clothes, cleavage, "
    "child, teenager, minor, baby, several people, cropped, out of frame, "
    "extra limbs, deformed hands, text, watermark, logo, blurry, low quality"
)

# The World Health Organization's classes of the body mass index, in kg/m²: each begins where the
# one before ends.
_BUILDS: Final = (
    (18.5, "very slender frame"),
    (25.0, ""),
    (30.0, "fuller figure"),
    (35.0, "heavy set figure"),
    (float("inf"), "very heavy figure"),
)
_STATURES: Final = ((160.0, "short"), (178.0, "of medium height"), (float("inf"), "tall"))
_CM_PER_M: Final = 100.0


@dataclass(frozen=True, slots=True)
class Body:
    """Who is to be drawn: a height in cm, a weight in kg, and choices by option."""

    height_cm: float
    weight_kg: float
    choices: Mapping[str, str]


def prompt(body: Body) -> str:
    """Give the prompt; raises KeyError for a choice that has no words here."""
    return ", ".join(part for part in _parts(body) if part)


def unknown_choice(names: Mapping[str, tuple[str, ...]]) -> str:
    """Give the first choice, as `option: name`, that has no words here; empty if all have."""
    asked = ((option, name) for option, several in names.items() for name in several)
    strange = (f"{option}: {name}" for option, name in asked if name not in WORDS.get(option, {}))
    return next(strange, "")


def _parts(body: Body) -> Iterator[str]:
    told = {option: WORDS[option][name] for option, name in body.choices.items()}
    origin = f"{told['ethnicity']} " if "ethnicity" in told else ""
    who = f"one adult {origin}{told.get('gender', _UNKNOWN)}"
    yield f"full body studio photograph of {who} {told.get('age_group', '')}".rstrip()
    yield told.get("body_type", "")
    yield _build(body.weight_kg / (body.height_cm / _CM_PER_M) ** 2)
    yield next(word for limit, word in _STATURES if body.height_cm < limit)
    yield told.get("skin_tone", "")
    yield _CLOTHES
    yield told.get("pose", "")
    yield _SCENE


def _build(mass_index: float) -> str:
    return next(word for limit, word in _BUILDS if mass_index < limit)
