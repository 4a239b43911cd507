"""Who computes attention: torch's own kernels, or those of xformers where they work.

diffusers' switches act on its own processors alone; ours ask whom they were given.
"""

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from handlers.settings import BadSetting

logger = logging.getLogger(__name__)

Attend: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Query, keys and values to answers, each (rows, heads, tokens, head width)."""

_WISHES: Final = ("auto", "sdpa", "xformers")
_PROBE: Final = (1, 2, 16, 64)  # rows, heads, tokens, head width


@dataclass(frozen=True, slots=True)
class Backend:
    """A way to attend, and its name."""

    name: str
    attend: Attend


def sdpa(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attend by torch's scaled_dot_product_attention, which picks a kernel itself."""
    return functional.scaled_dot_product_attention(query, keys, values)


def choose(wish: str, device: torch.device, dtype: torch.dtype) -> Backend:
    """Give the backend that `wish` names: sdpa, xformers, or auto.

    auto tries xformers on a GPU alone, and falls back with a line in the log. Raises BadSetting
    for another name, and for xformers where it does not work.
    """
    if wish not in _WISHES:
        raise BadSetting(f"handler.attention: expected one of {', '.join(_WISHES)}, found {wish}")
    if wish == "sdpa" or (wish == "auto" and device.type != "cuda"):
        return Backend("sdpa", sdpa)
    try:
        return Backend("xformers", _xformers(device, dtype))
    except (ImportError, RuntimeError, ValueError, NotImplementedError) as fault:
        reason = str(fault).strip().partition("\n")[0]
        if wish == "xformers":
            raise BadSetting(
                f"handler.attention: xformers does not work here ({reason})"
            ) from fault
        logger.info("attention by torch: xformers does not work here (%s)", reason)
        return Backend("sdpa", sdpa)


def _xformers(device: torch.device, dtype: torch.dtype) -> Attend:
    """Give xformers' attention after it has answered once, on this device in this type."""
    operator = importlib.import_module("xformers.ops").memory_efficient_attention

    def attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        turned = (one.transpose(1, 2).contiguous() for one in (query, keys, values))
        answers: Tensor = operator(*turned)
        return answers.transpose(1, 2)

    probe = torch.zeros(_PROBE, device=device, dtype=dtype)
    attend(probe, probe, probe)
    return attend
