"""DensePose's published checkpoint: a pickle of NumPy arrays, read without running what it holds.

`model_final_162be9.pkl` is a pickled {"model": {name: array}, …}. A pickle may name any function
to be called, so nothing is looked up here but what rebuilds plain arrays.
"""

import pickle
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from handlers.diffusion import manifest
from handlers.diffusion.checkpoint import BadCheckpoint, read_weights
from handlers.diffusion.weights import load_into
from handlers.understanding.densepose.network import DensePose, InputSize, Sizes

# Old checkpoints carry what detectron2 itself ignores by now.
_STRAYS: Final = ("pixel_mean", "pixel_std", "proposal_generator.anchor_generator.cell_anchors.*")
_ARRAYS_ONLY: Final = frozenset(
    {
        ("collections", "OrderedDict"),
        ("_codecs", "encode"),  # how protocol 2 spells bytes
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy.core.numeric", "_frombuffer"),
    }
)


def load(file: Path, input_size: InputSize, device: str) -> DensePose:
    """Build the network that a `.pkl` or `.safetensors` checkpoint was saved from.

    Its sizes are the file's own. Raises BadCheckpoint naming the file and the first wrong key, or
    the class that has no business in it.
    """
    manifest.verify(file.parent, (file,))
    state = read_weights(file) if file.suffix == ".safetensors" else _unpickled(file)
    try:
        sizes = Sizes.of(state)
    except KeyError as missing:
        raise BadCheckpoint(f"{file}: lacks {missing.args[0]}") from missing
    with torch.device("meta"):
        network = DensePose(sizes, input_size)
    load_into(network, state, file, ignore=_STRAYS, dtype=torch.float32, device=device)
    return network.eval()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:  # noqa: ANN401
        # NumPy 2 moved its core; arrays pickled by either are read by either.
        home = module_name.replace("numpy._core", "numpy.core")
        if (home, global_name) in _ARRAYS_ONLY:
            return super().find_class(home, global_name)
        raise pickle.UnpicklingError(f"refused, it asks for {module_name}.{global_name}")


def _unpickled(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise BadCheckpoint(f"{file}: missing")
    try:
        with file.open("rb") as opened:
            content = _Unpickler(opened, encoding="latin1").load()
    # A pickle that is cut off or is none fails in any of these ways.
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        KeyError,
        MemoryError,
        OverflowError,
    ) as error:
        raise BadCheckpoint(f"{file}: {str(error) or type(error).__name__}") from error
    state = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise BadCheckpoint(f"{file}: expected arrays by name, found {type(content).__name__}")
    return {name: _tensor(file, name, value) for name, value in state.items()}


def _tensor(file: Path, name: object, value: object) -> Tensor:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        raise BadCheckpoint(f"{file}: {name!r} is no array of numbers")
    native = value.astype(value.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(np.require(native, requirements=["C", "W"]))
