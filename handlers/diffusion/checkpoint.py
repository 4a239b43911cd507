"""One file of a model: read without running what it holds, refused by name when it is not whole."""

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from handlers.errors import ModelNotLoaded

_LFS_POINTER: Final = b"version https://git-lfs"
_WEB_PAGE: Final = (b"<!doctype", b"<html", b"<?xml")
_HEAD_BYTES: Final = 64


class BadCheckpoint(ModelNotLoaded):
    """A model's files cannot be used; `str` names file and key, a caller is told neither."""

    retryable = False

    def __init__(self, reason: str) -> None:
        super().__init__("The files of the model cannot be used.")
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object; raises BadCheckpoint naming the file."""
    _refuse_stand_in(file)
    try:
        value = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise BadCheckpoint(f"{file}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise BadCheckpoint(f"{file}: expected a JSON object")
    return value


def check_weights(file: Path) -> None:
    """Look whether a weight file is whole, at the cost of its header.

    Raises BadCheckpoint for a missing, truncated or foreign file.
    """
    _refuse_stand_in(file)
    if file.suffix == ".safetensors":
        _open_safetensors(file)
    elif not zipfile.is_zipfile(file):
        raise BadCheckpoint(f"{file}: truncated, or not written by torch.save")


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read tensors by name, on the CPU, in the file's types.

    They are views into the mapped file: nothing is copied until a tensor is converted. A `.bin` is
    a pickle, read by torch's allow-list; whatever asks for more than tensors is refused. Raises
    BadCheckpoint naming the file.
    """
    check_weights(file)
    if file.suffix == ".safetensors":
        with _open_safetensors(file) as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    return _tensors_only(file, _unpickled(file))


def _unpickled(file: Path) -> object:
    try:
        return torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadCheckpoint(f"{file}: refused, it holds more than tensors") from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        first = str(error).partition("\n")[0]
        raise BadCheckpoint(f"{file}: truncated, or not written by torch.save ({first})") from error


def _tensors_only(file: Path, value: object) -> dict[str, Tensor]:
    if not isinstance(value, dict):
        raise BadCheckpoint(f"{file}: expected tensors by name, found {type(value).__name__}")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise BadCheckpoint(f"{file}: {name!r} is no named tensor")
    return dict(value)


def _open_safetensors(file: Path) -> Any:  # noqa: ANN401  safetensors is untyped
    try:
        return safe_open(file, framework="pt", device="cpu")
    except SafetensorError as error:
        raise BadCheckpoint(f"{file}: truncated, or no safetensors file ({error})") from error


def _refuse_stand_in(file: Path) -> None:
    """Name what lies in the place of files that were never fetched."""
    if not file.is_file():
        raise BadCheckpoint(f"{file}: missing")
    with file.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
    if not head:
        raise BadCheckpoint(f"{file}: empty")
    if head.startswith(_LFS_POINTER):
        raise BadCheckpoint(f"{file}: a git-lfs pointer, not the file itself (git lfs pull)")
    if head.lstrip().lower().startswith(_WEB_PAGE):
        raise BadCheckpoint(f"{file}: a web page, saved in place of the file")
