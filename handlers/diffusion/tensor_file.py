"""Writes a safetensors file one tensor at a time, so that a network never stands in memory whole.

A file is the header's length (8 bytes, little-endian), a JSON header of name, type, shape and
place, and the tensors' bytes without a gap: https://huggingface.co/docs/safetensors.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from handlers.diffusion.checkpoint import BadCheckpoint

_TYPES: Final = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
}
_ALIGNMENT_BYTES: Final = 8


def write(file: Path, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """Write `tensors`, numbers with a fraction as `dtype`.

    Raises BadCheckpoint naming a key that holds no finite number, or none in `dtype`'s range.
    """
    # The widest first, so that every tensor is aligned to its own width.
    names = sorted(tensors, key=lambda name: (-_target(tensors[name], dtype).itemsize, name))
    with file.open("wb") as opened:
        opened.write(_header({name: tensors[name] for name in names}, dtype))
        for name in names:
            tensor = tensors[name].to(_target(tensors[name], dtype)).contiguous()
            if not torch.isfinite(tensor).all():
                raise BadCheckpoint(f"{file.parent.name}/{file.name}: {name} is not finite")
            opened.write(tensor.reshape(-1).view(torch.uint8).numpy().data)


def _header(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> bytes:
    entries, begin = {}, 0
    for name, tensor in tensors.items():
        target = _target(tensor, dtype)
        end = begin + tensor.numel() * target.itemsize
        entries[name] = {
            "dtype": _TYPES[target],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
        begin = end
    header = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    header += b" " * (-len(header) % _ALIGNMENT_BYTES)
    return struct.pack("<Q", len(header)) + header


def _target(tensor: Tensor, dtype: torch.dtype) -> torch.dtype:
    return dtype if tensor.is_floating_point() else tensor.dtype
