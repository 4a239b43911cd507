"""Where a model runs and in which numbers."""

from typing import Final

import torch

from handlers.settings import BadSetting

_DTYPES: Final = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def place(device: str, dtype: str) -> tuple[torch.device, torch.dtype]:
    """Turn the settings of a model into torch's; "auto" takes the first GPU, else the CPU.

    Raises BadSetting naming the setting that cannot be had here.
    """
    chosen = torch.device(_named(device))
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise BadSetting(f"handler.device: {device}, but torch sees no GPU")
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)  # whose memory is measured
    if dtype == "auto":
        return chosen, torch.float16 if chosen.type == "cuda" else torch.float32
    if dtype not in _DTYPES:
        raise BadSetting(f"handler.dtype: expected auto, {', '.join(_DTYPES)}, found {dtype}")
    return chosen, _DTYPES[dtype]


def card_bytes(device: torch.device) -> int | None:
    """Give the memory of a GPU; None for the CPU."""
    if device.type != "cuda":
        return None
    return int(torch.cuda.get_device_properties(device).total_memory)


def _named(device: str) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.partition(":")[0] not in {"cpu", "cuda"}:
        raise BadSetting(f"handler.device: expected auto, cpu, cuda or cuda:N, found {device}")
    return device
