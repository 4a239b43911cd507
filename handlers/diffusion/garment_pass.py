"""When the garment network runs: beside the try-on network, or ahead of it; or not at all."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from handlers.diffusion import features, sampling
from handlers.diffusion.attention import GarmentFeatures
from handlers.diffusion.denoising import GarmentView, Plan
from handlers.diffusion.features import Look
from handlers.diffusion.features_store import FeatureStore
from handlers.diffusion.loading import Networks
from handlers.diffusion.visits import HOME

FeaturesOf: TypeAlias = Callable[[int], GarmentFeatures]
"""The garment's features of the step with this number."""


def looks(nets: Networks, garment: GarmentView, plan: Plan) -> Iterator[Look]:
    """Say what the garment network is asked by runs of `plan`, whatever their seeds."""
    schedule = sampling.schedule(nets.scheduler, plan.sampler, plan.steps, plan.strength)
    shown = garment.picture.mode.to(nets.dtype)
    for timestep in schedule.timesteps:
        at = timestep.to(nets.device)
        yield Look(shown, garment.text.hidden, at, float(timestep), garment.record)


@contextmanager
def at_work(nets: Networks, looks: Sequence[Look], store: FeatureStore) -> Iterator[FeaturesOf]:
    """Have the try-on network where it works, and what each look sees.

    Features depend on nothing that is painted. So where the two networks do not fit at once, the
    garment's runs over all steps first and leaves; its features wait on the host (157 MB per step
    and picture at 768x1024 in half precision), which costs far less traffic than the network
    itself would at every step. Where all of them are known already, it does not come at all.
    """
    if nets.tryon not in nets.visits:
        with nets.visits.of(nets.garment):
            yield lambda index: features.see(nets, [looks[index]], store)[0].features
        return
    seen = _seen_ahead(nets, looks, store)
    with nets.visits.of(nets.tryon):
        yield lambda index: tuple(layer.to(nets.device) for layer in seen[index])


def _seen_ahead(
    nets: Networks, looks: Sequence[Look], store: FeatureStore
) -> list[GarmentFeatures]:
    """Give what every look sees, on the host."""
    known = [look.address and store.find(look.address) for look in looks]
    if None in known:
        with nets.visits.of(nets.garment):
            known = [
                one or _seen_now(nets, look, store) for one, look in zip(known, looks, strict=True)
            ]
    return [one for one in known if one]


def _seen_now(nets: Networks, look: Look, store: FeatureStore) -> GarmentFeatures:
    seen = features.see(nets, [look], store)[0].features
    at_home = look.address and store.held(look.address)
    return at_home or tuple(layer.to(HOME) for layer in seen)
