"""What IDM-VTON does to fit a card: one name, and everything that follows from it.

Weights in GB (1e9 bytes), counted from the published architecture, half precision unless said
otherwise; INT8 with the layers of `int8.KEPT` left whole:

    try-on 5.98 (INT8 3.39)   garment 5.10 (INT8 2.92; published 5.13, its unused tail is left out)
    text encoders 1.64   image encoder 1.26   autoencoder 0.33 (float32)

What a pass at 768x1024 needs beside them, the living tensors counted operation by operation with
attention written out, which fused kernels do not do; per picture, both halves of guidance:

    try-on step 1.71 (and 0.16 garment features, 0.06 prompt keys)   garment step 1.01
    autoencoder 2.02 to encode, 2.42 to decode, 0.81 for a tile of 512 px

`RESERVE` is for the CUDA context, the libraries' workspaces and what lies idle between blocks; it
is an estimate. None of this has been measured on a GPU; a worker tells what it uses with every
answer (`gpu_peak_bytes`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from handlers.settings import BadSetting

Part: TypeAlias = Literal["tryon", "garment", "text", "image", "vae"]

GB: Final = 1_000_000_000
RESERVE_GB: Final = 1.0
WEIGHTS_GB: Final[Mapping[Part, float]] = {
    "tryon": 5.98,
    "garment": 5.10,
    "text": 1.64,
    "image": 1.26,
    "vae": 0.33,
}
INT8_GB: Final[Mapping[Part, float]] = {"tryon": 3.39, "garment": 2.92}
PICTURE_STEP_GB: Final = 1.71
STEP_GB: Final = PICTURE_STEP_GB + 0.16 + 0.06
GARMENT_STEP_GB: Final = 1.01
ENCODE_GB: Final = 2.02
DECODE_GB: Final = 2.42
TILE_GB: Final = 0.81
TILE_PX: Final = 512
_ENCODERS: Final[frozenset[Part]] = frozenset({"text", "image", "vae"})
_ALL: Final[frozenset[Part]] = frozenset(WEIGHTS_GB)


@dataclass(frozen=True, slots=True)
class Profile:
    """Choices that bound memory; only INT8 and tiles change a picture.

    guests: parts that live on the host and are on the card only while they work. Where the try-on
    network is one, the garment network runs ahead of it, over all steps.
    one_by_one: the pictures of a request are painted after each other. tiled: the autoencoder works
    on tiles of TILE_PX, which shows as faint differences of tone.
    """

    int8: bool = False
    guests: frozenset[Part] = frozenset()
    one_by_one: bool = True
    tiled: bool = False

    def weights_gb(self, part: Part) -> float:
        """Give what a part's weights take on the card."""
        return INT8_GB[part] if self.int8 and part in INT8_GB else WEIGHTS_GB[part]

    def needs_gb(self) -> float:
        """Give the most that is on the card at any time, with one picture that takes steps.

        The next one is prepared, or the last one developed, meanwhile.
        """
        resident = sum(self.weights_gb(part) for part in _ALL - self.guests)
        steps = max(
            self._at_work_gb("tryon", STEP_GB), self._at_work_gb("garment", GARMENT_STEP_GB)
        )
        coding_gb = TILE_GB if self.tiled else max(ENCODE_GB, DECODE_GB)
        coding: dict[Part, float] = {"text": 0.0, "image": 0.0, "vae": coding_gb}
        beside = max(self._at_work_gb(part, needed_gb) for part, needed_gb in coding.items())
        # Where networks visit in order to step, nobody is prepared meanwhile.
        visiting = max(steps, beside) if "tryon" in self.guests else steps + beside
        return resident + visiting + RESERVE_GB

    def _at_work_gb(self, part: Part, needed_gb: float) -> float:
        return needed_gb + (self.weights_gb(part) if part in self.guests else 0.0)


PROFILES: Final[Mapping[str, Profile]] = {
    "8gb": Profile(int8=True, guests=_ALL),
    "12gb": Profile(guests=_ALL),
    "16gb": Profile(guests=_ENCODERS, tiled=True),  # works beside 11 GB that stay
    "24gb": Profile(),
    "full": Profile(one_by_one=False),
}
CARDS_GB: Final[Mapping[str, int]] = {"8gb": 8, "12gb": 12, "16gb": 16, "24gb": 24}
_FULL_FROM_GB: Final = 32


def choose(wish: str, card_bytes: int | None) -> str:
    """Give the profile's name: the wished one, or by `auto` the largest that a card carries.

    card_bytes: None without a card, where everything lies in the host's memory anyway. A card
    below the smallest profile gets that one. Raises BadSetting for an unknown name.
    """
    if wish != "auto":
        if wish not in PROFILES:
            names = ", ".join(PROFILES)
            raise BadSetting(f"handler.memory: expected auto, {names}, found {wish}")
        return wish
    if card_bytes is None or card_bytes >= _FULL_FROM_GB * GB:
        return "full"
    fitting = [name for name, card_gb in CARDS_GB.items() if card_gb * GB <= card_bytes]
    return fitting[-1] if fitting else next(iter(CARDS_GB))
