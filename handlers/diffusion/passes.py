"""A pass of the try-on network, whole or fine: as it is, or recorded where it was asked for."""

from collections.abc import Sequence
from itertools import chain
from typing import Final

from torch import Tensor

from handlers.diffusion import networks
from handlers.diffusion.attention import PromptKeys, Reference
from handlers.diffusion.loading import Networks
from handlers.diffusion.networks import Predicted

_SHOWN: Final = 4  # tensors before those of the layers


def whole(
    nets: Networks,
    sample: Tensor,
    timestep: Tensor,
    reference: Reference,
    text_embeds: Tensor,
    time_ids: Tensor,
) -> Predicted:
    """Run everything; see `networks.predict`."""
    if nets.replays is None:
        return networks.predict(nets.tryon, sample, timestep, reference, text_embeds, time_ids)
    layers = len(reference.garment)

    def work(given: Sequence[Tensor]) -> Sequence[Tensor]:
        shown, told = given[:_SHOWN], given[_SHOWN:]
        parts = len(PromptKeys._fields)
        prompt = [PromptKeys(*told[at : at + parts]) for at in range(layers, len(told), parts)]
        again = Reference(tuple(told[:layers]), tuple(prompt))
        return networks.predict(nets.tryon, shown[0], shown[1], again, shown[2], shown[3])

    prompt = chain.from_iterable(reference.prompt)
    given = [sample, timestep, text_embeds, time_ids, *reference.garment, *prompt]
    return Predicted(*nets.replays("whole", work, given))


def fine(
    nets: Networks,
    sample: Tensor,
    timestep: Tensor,
    deep: Tensor,
    text_embeds: Tensor,
    time_ids: Tensor,
) -> Predicted:
    """Run the finest layers with what the deep ones said before; see `networks.predict_again`."""

    def work(given: Sequence[Tensor]) -> Sequence[Tensor]:
        return [networks.predict_again(nets.tryon, *given)]

    given = (sample, timestep, deep, text_embeds, time_ids)
    told = work(given) if nets.replays is None else nets.replays("fine", work, given)
    return Predicted(told[0], deep)
