"""What SDXL does to fit a card: one name, and everything that follows from it.

Weights in GB (1e9 bytes), in half precision: network 5.13, text encoders 1.64, autoencoder 0.33 (in
float32). What a pass needs beside them is IDM-VTON's count (`profiles`), which is of a network of
the same layers and of more tokens, grown with the picture from 768x1024 to 832x1216. None of it has
been measured on a GPU.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from handlers.diffusion import latents, profiles
from handlers.diffusion.loading import SdxlNetworks, load_sdxl
from handlers.diffusion.placement import card_bytes, place
from handlers.diffusion.repository import Repository
from handlers.diffusion.sdxl_settings import SdxlSettings
from handlers.diffusion.sdxl_walks import Room
from handlers.diffusion.visits import HOME, Visits

_NETWORK_GB: Final = 5.13
_DECODER_GB: Final = 0.33
_WEIGHTS_GB: Final = _NETWORK_GB + 1.64 + _DECODER_GB
_GROWTH: Final = 832 * 1216 / (768 * 1024)
_PICTURE_GB: Final = profiles.PICTURE_STEP_GB * _GROWTH
_DECODE_GB: Final = profiles.DECODE_GB * _GROWTH


@dataclass(frozen=True, slots=True)
class Fit:
    """Choices that bound memory.

    visiting: every network lives on the host, comes to the card to work, and the autoencoder works
    on tiles, which shows as faint differences of tone.
    """

    room: Room
    visiting: bool = False

    def needs_gb(self) -> float:
        """Give the most that a request has on the card at any time."""
        drawing = self.room.at_once * _PICTURE_GB / (2 if self.room.apart else 1)
        if self.visiting:
            work = max(drawing, _DECODER_GB + profiles.TILE_GB)
            return _NETWORK_GB + work + profiles.RESERVE_GB
        work = drawing + _DECODE_GB if self.room.beside else max(drawing, _DECODE_GB)
        return _WEIGHTS_GB + work + profiles.RESERVE_GB


FITS: Final[Mapping[str, Fit]] = {
    "8gb": Fit(Room(1, apart=True), visiting=True),
    "12gb": Fit(Room(1, beside=False)),
    "16gb": Fit(Room(2)),
    "24gb": Fit(Room(4)),
    "full": Fit(Room(10)),
}


@dataclass(frozen=True, slots=True)
class Assembled:
    """Networks where they work from, how much they draw at once, and what to tell of it."""

    networks: SdxlNetworks
    room: Room
    memory: str

    def told(self) -> dict[str, Any]:
        """Give what an answer says of how it was made."""
        return {
            "device": str(self.networks.device),
            "dtype": str(self.networks.dtype).removeprefix("torch."),
            "memory": self.memory,
            "images_per_forward": self.room.at_once,
        }


def assemble(repository: Repository, settings: SdxlSettings) -> Assembled:
    """Load a repository for this machine; raises BadCheckpoint, BadSetting."""
    device, dtype = place(settings.device, settings.dtype)
    name = profiles.choose(settings.memory, card_bytes(device))
    fit = FITS[name]
    networks = load_sdxl(repository, HOME if fit.visiting else device, dtype)
    if fit.visiting:
        guests = (networks.unet, networks.vae, *networks.text_encoders)
        latents.work_on_tiles(networks, profiles.TILE_PX)
        networks = replace(networks, device=device, visits=Visits(device, guests))
    at_once = min(fit.room.at_once, settings.max_images_per_forward)
    return Assembled(networks, replace(fit.room, at_once=at_once), name)
