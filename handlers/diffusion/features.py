"""What the garment network sees of a garment at a timestep, worked out once and then remembered.

It depends on the garment, its description and the timestep, and on nothing that is painted: not
on the person, the seed, the guidance or the size of the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from handlers.diffusion import networks
from handlers.diffusion.attention import GarmentFeatures
from handlers.diffusion.features_store import FeatureStore, Waiting
from handlers.diffusion.features_tier import Address
from handlers.diffusion.loading import Networks


@dataclass(frozen=True, slots=True)
class Look:
    """A garment to be seen at a timestep: latents (rows, 4, h, w) and text (rows, 77, width).

    timestep: (), where the networks are; number: the same as the host knows it. record: the
    garment's name where it is the same for every request, else None: then it is nobody else's.
    """

    latents: Tensor
    text: Tensor
    timestep: Tensor
    number: float
    record: str | None

    @property
    def address(self) -> Address | None:
        """Where what is seen is kept."""
        return None if self.record is None else Address(self.record, self.number)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look gave, on the networks' device; `is_new`: the network ran for it."""

    features: GarmentFeatures
    is_new: bool


def see(nets: Networks, looks: Sequence[Look], store: FeatureStore) -> list[Seen]:
    """Give what each look sees; only what is not at hand goes through the network, as one batch.

    What several ask for is seen once, whether they ask in this call or in another thread's.
    Whatever is raised, nobody waits for what will not come.
    """
    named = {look.address: look for look in looks if look.address is not None}
    with store.claimed(list(named)) as claims:
        run = [look for look in looks if look.address is None]
        run += [named[address] for address in claims.mine]
        seen = _run(nets, run, store) if run else []
        ran = {id(look): Seen(one, is_new=True) for look, one in zip(run, seen, strict=True)}
        for address in list(claims.mine):
            claims.settle(address, ran[id(named[address])].features)
    known = {address: ran[id(named[address])] for address in named if id(named[address]) in ran}
    known |= {address: Seen(one, is_new=False) for address, one in claims.found.items()}
    known |= {
        address: _joined(nets, named[address], address, store, waiting)
        for address, waiting in claims.underway.items()
    }
    return [ran[id(look)] if look.address is None else known[look.address] for look in looks]


def _joined(
    nets: Networks, look: Look, address: Address, store: FeatureStore, waiting: Waiting
) -> Seen:
    """Wait for what somebody else works out; where they fail, work it out."""
    features = waiting.result()
    if features is None:
        return see(nets, [look], store)[0]
    return Seen(store.near(address, features), is_new=False)


def _run(nets: Networks, looks: Sequence[Look], store: FeatureStore) -> list[GarmentFeatures]:
    sizes = [len(look.latents) for look in looks]
    store.count_pass(sum(sizes))
    seen = networks.look_at_garment(
        nets.garment,
        torch.cat([look.latents for look in looks]),
        torch.cat([look.timestep.expand(size) for look, size in zip(looks, sizes, strict=True)]),
        torch.cat([look.text for look in looks]),
    )
    if len(looks) == 1:
        return [seen]
    # Copies: a part of a batch would keep the whole batch in memory.
    rows = zip(*(torch.split(layer, sizes) for layer in seen), strict=True)
    return [tuple(layer.clone() for layer in one) for one in rows]
