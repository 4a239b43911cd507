"""Weights into a network, strictly: all of them, under their names, in their shapes."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from torch import Tensor, nn

from handlers.diffusion.checkpoint import BadCheckpoint


def load_into(
    module: nn.Module,
    state: Mapping[str, Tensor],
    file: Path,
    *,
    ignore: Sequence[str] = (),
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> None:
    """Make the tensors of `state` the module's own, which may stand on the meta device.

    Each one is converted by itself, when `dtype` or `device` ask for it, so that no second copy of
    the whole exists; whole numbers keep their type. Names that match a pattern of `ignore` (as
    `add_embedding.*`) may stand in the file without a place in the module. Raises BadCheckpoint
    that names the file and the first missing, unknown or wrongly shaped key; the module is
    untouched then.
    """
    wanted = module.state_dict()
    strays = [name for name in state if name not in wanted]
    faults = {
        "lacks": [name for name in wanted if name not in state],
        "holds unknown": [name for name in strays if not matches(name, ignore)],
        "has a wrong shape:": [
            f"{name} is {_shape(state[name])}, expected {_shape(tensor)}"
            for name, tensor in wanted.items()
            if name in state and state[name].shape != tensor.shape
        ],
    }
    if found := "; ".join(_told(what, names) for what, names in faults.items() if names):
        raise BadCheckpoint(f"{file}: {found}")
    placed = {name: _placed(state[name], dtype, device) for name in wanted}
    module.load_state_dict(placed, strict=True, assign=True)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a key is one of those that `patterns` describe (as `add_embedding.*`)."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _placed(tensor: Tensor, dtype: torch.dtype | None, device: torch.device | str | None) -> Tensor:
    return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)


def _told(what: str, names: Sequence[str]) -> str:
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"{what} {names[0]}{more}"


def _shape(tensor: Tensor) -> str:
    return "x".join(str(side) for side in tensor.shape) or "a single number"
