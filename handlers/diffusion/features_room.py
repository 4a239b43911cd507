"""How much of a machine is for garment features."""

from typing import Final

import torch

from handlers import memory, places
from handlers.diffusion.assembly import Machine
from handlers.diffusion.features_disk import Disk
from handlers.diffusion.features_store import Budgets, FeatureStore
from handlers.diffusion.placement import card_bytes
from handlers.diffusion.profiles import GB
from handlers.diffusion.settings import Caches
from handlers.diffusion.visits import HOME
from handlers.settings import BadSetting

_KEEPS: Final = ("all", "pinned")


def budgets(caches: Caches, machine: Machine) -> Budgets:
    """Work out the room of each tier; raises BadSetting naming the setting that is wrong.

    Where the networks visit the card, or there is none, features wait on the host.
    """
    for name in ("device_share", "host_share", "pinned_share"):
        if not 0 <= (share := getattr(caches, name)) <= 1:
            raise BadSetting(f"handler.cache.{name}: not in [0, 1]: {share}")
    if caches.disk_keeps not in _KEEPS:
        known = ", ".join(_KEEPS)
        raise BadSetting(
            f"handler.cache.disk_keeps: expected one of {known}, found {caches.disk_keeps}"
        )
    near = _near_bytes(caches, machine)
    host = caches.host_bytes or int(memory.host_bytes() * caches.host_share)
    largest = max(near, host, caches.disk_bytes)
    return Budgets(near, host, int(largest * caches.pinned_share))


def open_store(caches: Caches, machine: Machine) -> FeatureStore:
    """Make the store of a worker, with what an earlier one left on the disk."""
    room = budgets(caches, machine)
    disk = None
    if caches.disk_bytes:
        folder = places.resolve(caches.disk_path)
        disk = Disk(folder, caches.disk_bytes, only_pinned=caches.disk_keeps == "pinned")
    store = FeatureStore(room, _lives_on(machine), disk)
    store.origins.max_age_s = caches.max_age_s
    for record in disk.records() if disk else ():
        store.origins.note(record)
    return store


def _near_bytes(caches: Caches, machine: Machine) -> int:
    if _lives_on(machine) == HOME:
        return 0
    if caches.device_bytes:
        return caches.device_bytes
    left = (card_bytes(machine.device) or 0) - machine.profile.needs_gb() * GB
    return max(int(left * caches.device_share), 0)


def _lives_on(machine: Machine) -> torch.device:
    """Where the try-on network finds features when it takes a step."""
    return HOME if "tryon" in machine.profile.guests else machine.device
