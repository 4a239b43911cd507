"""Garment features as files, which outlive the worker: `<folder>/<garment>/<timestep>.safetensors`.

A file appears whole or not at all, carries a checksum, and says what it is; one that is damaged or
tells of something else is removed and was never there. Several workers may share a folder.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from handlers.diffusion.attention import GarmentFeatures
from handlers.diffusion.features_tier import Address, Tally, Tier

logger = logging.getLogger(__name__)

_FORMAT: Final = "garment features 1"
_SUFFIX: Final = ".safetensors"
_PART: Final = ".part"
_PIN: Final = "pinned.json"
_ABANDONED_S: Final = 3600.0
_WORD_BYTES: Final = 8
_SHIFT: Final = 31  # so that layers do not trade places


class Disk:
    """At most `capacity_bytes` of files below `folder`; safe for any number of threads.

    only_pinned: write down pinned garments alone.
    """

    def __init__(self, folder: Path, capacity_bytes: int, *, only_pinned: bool = False) -> None:
        self.only_pinned = only_pinned
        self._folder = folder
        self._pins: dict[str, int] = {}
        self._lock = threading.RLock()
        self._files: Tier[Path] = Tier(
            capacity_bytes, self._pins.__contains__, lambda _address, file: _removed(file)
        )
        self._find()

    @property
    def tally(self) -> Tally:
        """What the tier has done, and holds."""
        return self._files.tally

    def __contains__(self, address: Address) -> bool:
        return self._file(address).is_file()  # another worker may have written it

    def read(self, address: Address) -> GarmentFeatures | None:
        """Give what is on file, in the host's memory."""
        file = self._file(address)
        try:
            features = _read(file, address)
        except FileNotFoundError:
            features = None
        except (OSError, ValueError, SafetensorError) as fault:
            logger.warning("%s: removed: %s", file, fault)
            _removed(file)
            features = None
        with self._lock:
            if features is None:
                self._files.drop(address)
                return None
            self._files.put(address, file, file.stat().st_size if file.exists() else 0)
            self._files.get(address)
            self.tally.hits += 1
        _touched(file)
        return features

    def write(self, address: Address, features: GarmentFeatures) -> None:
        """Put on file what is in the host's memory; a disk that is full is no error."""
        file, size = self._file(address), sum(layer.nbytes for layer in features)
        with self._lock:
            if address in self._files or not self._files.put(address, file, size):
                return
        part = file.with_name(f"{file.name}.{os.getpid()}{_PART}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            layers = {f"{index:03d}": layer.contiguous() for index, layer in enumerate(features)}
            save_file(layers, part, metadata=_told(address, features))
            part.replace(file)
        except (OSError, SafetensorError) as fault:
            logger.warning("%s: not written: %s", file, fault)
            _removed(part)
            with self._lock:
                self._files.drop(address)

    def timesteps(self, record: str) -> tuple[float, ...]:
        """Give the timesteps that this worker knows to be on file of a garment."""
        with self._lock:
            return self._files.timesteps(record)

    def records(self) -> tuple[str, ...]:
        """Give the garments of which something is on file."""
        with self._lock:
            return self._files.records()

    def forget(self, record: str) -> int:
        """Remove all that is on file of a garment; give how many bytes it was."""
        with self._lock:
            freed_bytes = self._files.record_bytes(record)
            for timestep in self._files.timesteps(record):
                self._files.drop(Address(record, timestep))
        folder = self._folder / record
        for file in folder.glob(f"*{_SUFFIX}"):
            _removed(file)
        _removed_folder(folder)
        return freed_bytes

    def pins(self) -> Mapping[str, int]:
        """Give the pinned garments, and how many bytes each may take."""
        return self._pins

    def write_pin(self, record: str, nbytes: int) -> None:
        """Write a pin down."""
        self._pins[record] = nbytes
        file = self._folder / record / _PIN
        part = file.with_name(f"{file.name}.{os.getpid()}{_PART}")
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"bytes": nbytes}))
        part.replace(file)

    def remove_pin(self, record: str) -> None:
        """Strike a pin out; one that is not there is no error."""
        self._pins.pop(record, None)
        _removed(self._folder / record / _PIN)

    def _file(self, address: Address) -> Path:
        return self._folder / address.record / f"{address.timestep:.9g}{_SUFFIX}"

    def _find(self) -> None:
        """Learn what an earlier worker left, the least recently used first."""
        for file in self._folder.glob(f"*/*{_PART}"):
            if time.time() - file.stat().st_mtime > _ABANDONED_S:
                _removed(file)
        for file in self._folder.glob(f"*/{_PIN}"):
            try:
                self._pins[file.parent.name] = int(json.loads(file.read_text())["bytes"])
            except (OSError, ValueError, KeyError, TypeError) as fault:
                logger.warning("%s: removed: %s", file, fault)
                _removed(file)
        found = [
            (file.stat().st_mtime, float(file.stem), file)
            for file in self._folder.glob(f"*/*{_SUFFIX}")
            if file.stem.replace(".", "").isdecimal()
        ]
        for _, timestep, file in sorted(found):
            address = Address(file.parent.name, timestep)
            if not self._files.put(address, file, file.stat().st_size):
                _removed(file)


def _read(file: Path, address: Address) -> GarmentFeatures:
    with safe_open(file, framework="pt") as opened:
        told = dict(opened.metadata() or {})
        features = tuple(opened.get_tensor(name).clone() for name in sorted(opened.keys()))
    if told != _told(address, features):
        raise ValueError("not what it says, or of something else")
    return features


def _told(address: Address, features: GarmentFeatures) -> dict[str, str]:
    return {
        "format": _FORMAT,
        "garment": address.record,
        "timestep": repr(address.timestep),
        "checksum": f"{_checksum(features):016x}",
    }


def _checksum(features: GarmentFeatures) -> int:
    """Add up the bytes in words of 64 bits, as fast as memory is: a CRC takes several times that.

    It finds damage, which is chance; nobody is kept from forging it.
    """
    total = 0
    for layer in features:
        raw = layer.contiguous().reshape(-1).view(torch.uint8)
        whole = len(raw) // _WORD_BYTES * _WORD_BYTES
        words, rest = int(raw[:whole].view(torch.int64).sum()), int(raw[whole:].sum())
        total = (total * _SHIFT + words + rest + len(raw)) % 2**64
    return total


def _removed(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as fault:
        logger.warning("%s: not removed: %s", file, fault)


def _removed_folder(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # another's file lies in it, or it is gone


def _touched(file: Path) -> None:
    try:
        os.utime(file)
    except OSError:
        return  # gone since, or not ours
