"""Networks made ready for the machine they run on: placed, quantised, told whom to attend by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from handlers.diffusion import (
    acceleration,
    attention,
    attention_backend,
    int8,
    latents,
    profiles,
    trial,
)
from handlers.diffusion.attention_backend import Backend
from handlers.diffusion.loading import Networks, load
from handlers.diffusion.placement import card_bytes, place
from handlers.diffusion.profiles import TILE_PX, Part, Profile
from handlers.diffusion.repository import Repository
from handlers.diffusion.settings import IdmVtonSettings
from handlers.diffusion.visits import HOME, Visits
from handlers.quantize import Verdict, quantise_or_keep
from handlers.settings import BadSetting

_QUANTISATIONS = ("auto", "none", "int8")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the settings come to on this machine."""

    device: torch.device
    dtype: torch.dtype
    memory: str
    profile: Profile
    backend: Backend

    @classmethod
    def of(cls, settings: IdmVtonSettings) -> "Machine":
        """Work the settings out; raises BadSetting naming the one that cannot be had here."""
        device, dtype = place(settings.device, settings.dtype)
        name = profiles.choose(settings.memory, card_bytes(device))
        profile = profiles.PROFILES[name]
        if settings.quantization not in _QUANTISATIONS:
            known = ", ".join(_QUANTISATIONS)
            wrong = settings.quantization
            raise BadSetting(f"handler.quantization: expected one of {known}, found {wrong}")
        if settings.quantization != "auto":
            profile = replace(profile, int8=settings.quantization == "int8")
        if profile.int8:
            int8.check_available()
        backend = attention_backend.choose(settings.attention, device, dtype)
        return cls(device, dtype, name, profile, backend)


@dataclass(frozen=True, slots=True)
class Assembled:
    """Networks, and what was made of them; `faster`: the settings of speed that are in use."""

    networks: Networks
    machine: Machine
    verdict: Verdict
    faster: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        """Give what an answer says of how it was made."""
        measured = self.verdict.deviation
        return {
            "device": str(self.machine.device),
            "dtype": str(self.machine.dtype).removeprefix("torch."),
            "memory": self.machine.memory,
            "attention": self.machine.backend.name,
            "quantization": "int8" if self.verdict.int8 else "none",
            "quantization_error": measured and round(measured.step_error, 5),
            "speed": list(self.faster),
        }


def assemble(
    repository: Repository,
    machine: Machine,
    settings: IdmVtonSettings,
    known: Verdict | None = None,
) -> Assembled:
    """Load a repository for `machine`; raises BadCheckpoint.

    INT8 is verified against full precision once: `known`, what was found when the same repository
    was assembled before, is believed.
    """

    def whole() -> Networks:
        return _settled(_loaded(repository, machine), machine)

    nets, verdict = _quantised(whole, machine, settings, known)
    nets, faster = acceleration.applied(nets, settings.speed, int8=verdict.int8)
    return Assembled(nets, machine, verdict, faster)


def parts(nets: Networks) -> Mapping[Part, Sequence[nn.Module]]:
    """Give the networks by the names that profiles know them by."""
    return {
        "tryon": [nets.tryon],
        "garment": [nets.garment],
        "text": nets.text_encoders,
        "image": [nets.image_encoder],
        "vae": [nets.vae],
    }


def held_bytes(nets: Networks) -> int:
    """Count what the weights occupy, wherever they lie."""
    return sum(int8.held_bytes(one) for modules in parts(nets).values() for one in modules)


def _loaded(repository: Repository, machine: Machine) -> Networks:
    guests = machine.profile.guests
    return load(repository, HOME if guests else machine.device, machine.dtype)


def _settled(nets: Networks, machine: Machine) -> Networks:
    """Bring what stays on the device there, and let the rest visit."""
    found = parts(nets)
    guests = [one for part in machine.profile.guests for one in found[part]]
    for part in found.keys() - machine.profile.guests:
        for one in found[part]:
            int8.move(one, machine.device)
    for unet in (nets.tryon, nets.garment):
        attention.use_backend(unet, machine.backend.attend)
    if machine.profile.tiled:
        latents.work_on_tiles(nets, TILE_PX)
    return replace(nets, device=machine.device, visits=Visits(machine.device, guests))


def _quantised(
    whole: Callable[[], Networks],
    machine: Machine,
    settings: IdmVtonSettings,
    known: Verdict | None,
) -> tuple[Networks, Verdict]:
    verdict = known or Verdict(machine.profile.int8)
    if verdict.int8 and settings.verify and known is None:
        frames = settings.frames
        return quantise_or_keep(
            whole,
            _quantise,
            lambda nets: trial.observe(nets, frames.painted_width_px, frames.painted_height_px),
            settings.quantization_limits,
        )
    nets = whole()
    if verdict.int8:
        _quantise(nets)
    return nets, verdict


def _quantise(nets: Networks) -> None:
    for unet in (nets.tryon, nets.garment):
        int8.quantise(unet)
