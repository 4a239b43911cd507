"""Garment features in tiers: the device's memory, the host's, and files.

What is worked out lies where it was made; a thread of its own copies it to the host and writes it
to the disk, so that no step waits. What is found in a lower tier comes up again.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import torch

from handlers.diffusion.attention import GarmentFeatures
from handlers.diffusion.features_aside import Aside
from handlers.diffusion.features_copies import Copies, are_sound, nbytes
from handlers.diffusion.features_disk import Disk
from handlers.diffusion.features_origins import Origins
from handlers.diffusion.features_pins import Pins
from handlers.diffusion.features_tier import Address, Tier
from handlers.diffusion.visits import HOME

Waiting: TypeAlias = "Future[GarmentFeatures | None]"
"""What somebody else works out; None if they did not get there."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """Room in bytes: per tier, and for pinned garments in all."""

    device_bytes: int = 0
    host_bytes: int = 0
    pinned_bytes: int = 0


@dataclass(slots=True)
class Claims:
    """What one caller asked for: found, to be worked out by them, or by somebody else."""

    store: "FeatureStore"
    found: dict[Address, GarmentFeatures] = field(default_factory=dict)
    mine: list[Address] = field(default_factory=list)
    underway: dict[Address, Waiting] = field(default_factory=dict)

    def settle(self, address: Address, features: GarmentFeatures) -> None:
        """Hand in what was worked out."""
        self.store.keep(address, features)
        self.mine.remove(address)


class FeatureStore:
    """Features by garment and timestep; safe for any number of threads.

    In a rehearsal, files are left alone: nobody will ask for the garments of a warm-up.
    """

    def __init__(
        self,
        budgets: Budgets | None = None,
        device: torch.device = HOME,
        disk: Disk | None = None,
    ) -> None:
        budgets = budgets or Budgets()
        self.disk = disk
        self.pins = Pins(budgets.pinned_bytes, disk)
        self.origins = Origins()
        self._device = device
        self._copies = Copies(device)
        self._near: Tier[GarmentFeatures] = Tier(budgets.device_bytes, self.pins.__contains__)
        self._host: Tier[GarmentFeatures] = Tier(budgets.host_bytes, self.pins.__contains__)
        self._underway: dict[Address, Waiting] = {}
        self._lock = threading.RLock()
        self._aside = Aside("garment features")
        self._misses = self._joins = self._passes = self._rows = 0
        self.is_rehearsal = False

    @contextmanager
    def claimed(self, addresses: Sequence[Address]) -> Iterator[Claims]:
        """Give what is at hand, and leave the rest to the caller, who settles it while inside.

        What is not settled then is free again, for those who wait for it.
        """
        claims = Claims(self)
        try:
            for address in addresses:
                self._claim(address, claims)
            yield claims
        finally:
            for address in claims.mine:
                self._free(address, None)

    def keep(self, address: Address, features: GarmentFeatures) -> None:
        """Keep what was worked out, as far as there is room; whoever waits for it has it."""
        if not self.origins.may_keep(address.record):
            self._free(address, features)
            return
        with self._lock:
            is_near = features[0].device == self._device and self._near.put(
                address, features, nbytes(features)
            )
        if is_near:
            made = self._copies.mark()
            self._aside.do(lambda: self._sink(address, made))
        elif are_sound(features):
            self._settle_down(address, self._copies.home(features))
        self._free(address, features)

    def near(self, address: Address, features: GarmentFeatures) -> GarmentFeatures:
        """Bring what lies on the host to the device, and keep it there if there is room."""
        copied = self._copies.near(features)
        with self._lock:
            self._near.put(address, copied, nbytes(copied))
        return copied

    def find(self, address: Address) -> GarmentFeatures | None:
        """Give what is at hand; what is not, somebody else is to ask for."""
        with self.claimed([address]) as claims:
            return claims.found.get(address)

    def held(self, address: Address) -> GarmentFeatures | None:
        """Give what lies on the host, without counting it as asked for."""
        with self._lock:
            return self._host.peek(address)

    def expect(self, addresses: Sequence[Address]) -> None:
        """Have what lies on the disk alone brought up, in this order, before it is asked for."""
        if self.disk is not None:
            self._aside.do(lambda: self._fetch(addresses))

    def pin(self, record: str, size_bytes: int) -> None:
        """Let a garment of so many bytes stay before others; raises PinsFull."""
        self.pins.add(record, size_bytes)
        with self._lock:
            held = {*self._near.timesteps(record), *self._host.timesteps(record)}
        for timestep in sorted(held, reverse=True):
            self._aside.do(partial(self._write, Address(record, timestep)))

    def timesteps(self, record: str) -> set[float]:
        """Give the timesteps of a garment that some tier holds."""
        with self._lock:
            held = {*self._near.timesteps(record), *self._host.timesteps(record)}
        return held | set(self.disk.timesteps(record) if self.disk else ())

    def forget(self, record: str) -> int:
        """Forget a garment in every tier, and its pin; give the bytes that are free, once each."""
        self.pins.remove(record)
        freed = [0]
        with self._lock:
            for tier in (self._near, self._host):
                freed.append(tier.record_bytes(record))
                for timestep in tier.timesteps(record):
                    tier.drop(Address(record, timestep))
        if self.disk is not None:
            freed.append(self.disk.forget(record))
        return max(freed)

    def clear(self) -> None:
        """Forget what is in memory, and count anew; files and pins stay."""
        self._aside.finish()
        with self._lock:
            self._near.clear()
            self._host.clear()
            self._misses = self._joins = self._passes = self._rows = 0

    def finish(self) -> None:
        """Wait until everything is copied and written."""
        self._aside.finish()

    def count_pass(self, rows: int) -> None:
        """Count a pass of the garment network over so many rows."""
        with self._lock:
            self._passes += 1
            self._rows += rows

    def gauges(self) -> dict[str, float]:
        """Give the counters by metric name."""
        tallies = {"device": self._near.tally, "host": self._host.tally}
        if self.disk is not None:
            tallies["disk"] = self.disk.tally
        with self._lock:
            told = {
                "vton_feature_misses": self._misses,
                "vton_feature_joins": self._joins,
                "vton_garment_network_passes": self._passes,
                "vton_garment_network_rows": self._rows,
                "vton_pinned_garments": len(self.pins),
                "vton_pinned_bytes": self.pins.nbytes,
            }
            for tier, tally in tallies.items():
                told[f"vton_feature_{tier}_hits"] = tally.hits
                told[f"vton_feature_{tier}_evictions"] = tally.evictions
                told[f"vton_feature_{tier}_bytes"] = tally.held_bytes
            return dict(told)

    def _claim(self, address: Address, claims: Claims) -> None:
        with self._lock:
            found = self._in_memory(address)
            if found is None and address in self._underway:
                self._joins += 1
                claims.underway[address] = self._underway[address]
                return
            if found is None:
                self._underway[address] = Future()
                claims.mine.append(address)
        if found is None:
            found = self._from_disk(address)
            if found is None:
                return
            claims.mine.remove(address)
        claims.found[address] = found

    def _in_memory(self, address: Address) -> GarmentFeatures | None:
        found = self._near.get(address)
        if found is not None:
            self._near.tally.hits += 1
            return found
        at_home = self._host.get(address)
        if at_home is None:
            return None
        self._host.tally.hits += 1
        return self.near(address, at_home)

    def _from_disk(self, address: Address) -> GarmentFeatures | None:
        """Bring up what is claimed, for all who wait for it."""
        at_home = self._read(address)
        if at_home is None:
            with self._lock:
                self._misses += 1
            return None
        found = self.near(address, at_home)
        self._free(address, found)
        return found

    def _read(self, address: Address) -> GarmentFeatures | None:
        if self.disk is None or self.is_rehearsal:
            return None
        at_home = self.disk.read(address)
        if at_home is None:
            return None
        at_home = self._copies.locked(at_home)
        with self._lock:
            self._host.put(address, at_home, nbytes(at_home))
        return at_home

    def _fetch(self, addresses: Sequence[Address]) -> None:
        for address in addresses:
            with self._lock:
                if address in self._near or address in self._host or address in self._underway:
                    continue
                self._underway[address] = Future()
            found = None
            try:
                found = self._read(address)
            finally:
                self._free(address, found)
            with self._lock:
                if found is not None and address not in self._host:
                    return  # there is no room for more

    def _free(self, address: Address, features: GarmentFeatures | None) -> None:
        with self._lock:
            waiting = self._underway.pop(address, None)
        if waiting is not None:
            waiting.set_result(features)

    def _sink(self, address: Address, made: Any) -> None:  # noqa: ANN401  torch's event
        """Copy what lies on the device to the host, unless it has left."""
        with self._lock:
            features = self._near.peek(address)
        if features is None:
            return
        at_home = self._copies.home(features, made)
        if are_sound(at_home):
            self._settle_down(address, at_home)
        else:
            with self._lock:
                self._near.drop(address)

    def _settle_down(self, address: Address, at_home: GarmentFeatures) -> None:
        with self._lock:
            self._host.put(address, at_home, nbytes(at_home))
        if self._is_written(address.record):
            self._aside.do(lambda: self._write(address))

    def _is_written(self, record: str) -> bool:
        if self.disk is None or self.is_rehearsal:
            return False
        return not self.disk.only_pinned or record in self.pins

    def _write(self, address: Address) -> None:
        """Write what is in memory, unless it has left."""
        with self._lock:
            features = self._host.peek(address) or self._near.peek(address)
        if features is not None and self.disk is not None:
            self.disk.write(address, self._copies.home(features))
