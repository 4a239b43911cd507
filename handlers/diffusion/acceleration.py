"""The exact fast paths: the same predictions but for rounding, in less time."""

import logging
from dataclasses import replace

import torch

from handlers.diffusion import attention, compiling
from handlers.diffusion.loading import Networks
from handlers.diffusion.replays import Replays
from handlers.diffusion.settings import Speed

logger = logging.getLogger(__name__)


def applied(nets: Networks, wish: Speed, *, int8: bool) -> tuple[Networks, tuple[str, ...]]:
    """Give the networks as `wish` says, as far as they allow it, and what was done.

    Weights that come and go can be neither fused nor compiled nor recorded, weights in INT8 not be
    fused, and only a GPU records: what cannot be had is said in the log, and left out.
    """
    stays = nets.tryon not in nets.visits and nets.garment not in nets.visits
    wishes = {
        "channels_last": (wish.channels_last, stays),
        "fused_qkv": (wish.fused_qkv, stays and not int8),
        "compiled": (wish.compiled, stays),
        "cuda_graphs": (wish.cuda_graphs > 0, stays and nets.device.type == "cuda"),
    }
    done = tuple(name for name, (is_asked, can_be) in wishes.items() if is_asked and can_be)
    for name in (name for name, (asked, _) in wishes.items() if asked and name not in done):
        logger.warning("handler.speed.%s: not with these networks on %s", name, nets.device)
    for unet in (nets.tryon, nets.garment):
        if "channels_last" in done:
            unet.to(memory_format=torch.channels_last)
        if "fused_qkv" in done:
            attention.join(unet)
        if "compiled" in done:
            compiling.compile_blocks(unet)
    if "cuda_graphs" in done:
        nets = replace(nets, replays=Replays(wish.cuda_graphs))
    return nets, done
