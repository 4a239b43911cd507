"""Who a model is, for what it has seen to be kept: its weights, and how they are put to work."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from handlers.diffusion import manifest
from handlers.diffusion.assembly import Assembled
from handlers.diffusion.checkpoint import read_json
from handlers.diffusion.repository import Network, Repository

# Whose weights decide what the garment network sees.
_SEEING: Final[tuple[Network, ...]] = ("unet_encoder", "vae", "text_encoder", "text_encoder_2")
_SAMPLES: Final = 64
_SAMPLE_BYTES: Final = 65536


def digest(repository: Repository, made: Assembled) -> str:
    """Name a model such that two of one name see the same, to the last bit or nearly.

    Another type of numbers, INT8, tiles, kernels of attention or kind of device are another name.
    """
    machine = made.machine
    facts = (
        machine.device.type,
        str(machine.dtype),
        made.verdict.int8,
        machine.profile.tiled,
        machine.backend.name,
    )
    found = hashlib.sha256(repr(facts).encode())
    for word in _weights(repository):
        found.update(word)
    return found.hexdigest()


def _weights(repository: Repository) -> Iterator[bytes]:
    listed = repository.path / manifest.NAME
    entries = read_json(listed) if listed.is_file() else {}
    for network in _SEEING:
        file = repository.weight_file(network)
        told = entries.get(file.relative_to(repository.path).as_posix())
        yield repr(told).encode() if told else b"".join(_sampled(file))
        yield repr(sorted(repository.config(network).items())).encode()


def _sampled(file: Path) -> Iterator[bytes]:
    """Give a file's length and parts of it: a converted copy lists the whole file's digest."""
    length = file.stat().st_size
    yield str(length).encode()
    with file.open("rb") as opened:
        for index in range(_SAMPLES):
            opened.seek(index * max(length - _SAMPLE_BYTES, 0) // (_SAMPLES - 1))
            yield opened.read(_SAMPLE_BYTES)
