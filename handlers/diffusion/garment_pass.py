"""When the garment network runs: beside the try-on network, or ahead of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from torch import Tensor

from handlers.diffusion import networks
from handlers.diffusion.attention import GarmentFeatures
from handlers.diffusion.loading import Networks
from handlers.diffusion.visits import HOME

FeaturesOf: TypeAlias = Callable[[int], GarmentFeatures]
"""The garment's features of the step with this number."""


@contextmanager
def at_work(
    nets: Networks, latents: Tensor, text: Tensor, timesteps: Tensor
) -> Iterator[FeaturesOf]:
    """Have the try-on network where it works, and the garment's features at each of `timesteps`.

    latents: (rows, 4, height, width), text: (rows, 77, width). Features depend on nothing that is
    painted. So where the two networks do not fit at once, the garment's runs over all steps first
    and leaves; its features wait on the host (157 MB per step and picture at 768x1024 in half
    precision), which costs far less traffic than the network itself would at every step.
    """

    def look(index: int) -> GarmentFeatures:
        return networks.look_at_garment(nets.garment, latents, timesteps[index], text)

    if nets.tryon not in nets.visits:
        with nets.visits.of(nets.garment):
            yield look
        return
    with nets.visits.of(nets.garment):
        seen = [tuple(one.to(HOME) for one in look(index)) for index in range(len(timesteps))]
    with nets.visits.of(nets.tryon):
        yield lambda index: tuple(one.to(nets.device) for one in seen[index])
