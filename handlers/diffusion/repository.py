"""A folder in the layout that IDM-VTON is published in, or a converted copy of one.

    unet  unet_encoder  vae                        config.json, diffusion_pytorch_model
    text_encoder  text_encoder_2  image_encoder    config.json, model
    tokenizer  tokenizer_2                         tokenizer_config.json, vocab.json, merges.txt
    scheduler                                      scheduler_config.json

Weights are `.safetensors`, or pickles in `.bin`; where both lie there, the former are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from torch import Tensor

from handlers.diffusion import checkpoint, manifest
from handlers.diffusion.checkpoint import BadCheckpoint

__all__ = ["PARTS", "WEIGHTED", "BadCheckpoint", "Network", "Part", "Repository", "weight_names"]

Network = Literal["unet", "unet_encoder", "vae", "text_encoder", "text_encoder_2", "image_encoder"]
Part = Network | Literal["tokenizer", "tokenizer_2", "scheduler"]

WEIGHTED: Final[tuple[Network, ...]] = get_args(Network)
PARTS: Final[tuple[Part, ...]] = (*WEIGHTED, "tokenizer", "tokenizer_2", "scheduler")
_DIFFUSERS: Final = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
_TRANSFORMERS: Final = ("model.safetensors", "pytorch_model.bin")
_TOKENIZERS: Final[tuple[Part, ...]] = ("tokenizer", "tokenizer_2")
_VOCABULARY: Final = ("vocab.json", "merges.txt")


def weight_names(part: Network) -> tuple[str, ...]:
    """Give the names that a network's weights may have, the preferred one first."""
    return _DIFFUSERS if part in {"unet", "unet_encoder", "vae"} else _TRANSFORMERS


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository whose files are all there; `open` makes one."""

    path: Path

    @classmethod
    def open(cls, path: Path | str) -> Repository:
        """Check at once that every needed file is there and whole, and that it is the listed one.

        Raises BadCheckpoint naming the files that are missing, or the first that is wrong.
        """
        repository = cls(Path(path))
        if not repository.path.is_dir():
            raise BadCheckpoint(f"{path}: no such folder; `make models` fetches and converts one")
        files = list(repository.files())
        if missing := [str(file) for file in files if not file.is_file()]:
            raise BadCheckpoint(f"missing: {', '.join(missing)}")
        manifest.verify(repository.path, files)
        for file in files:
            if file.suffix == ".json":
                checkpoint.read_json(file)
            elif file.suffix != ".txt":
                checkpoint.check_weights(file)
        return repository

    def folder(self, part: Part) -> Path:
        """Give the folder of a part."""
        return self.path / part

    def config(self, part: Part) -> dict[str, Any]:
        """Read the configuration of a part; raises BadCheckpoint."""
        return checkpoint.read_json(self._config_file(part))

    def weights(self, part: Network) -> dict[str, Tensor]:
        """Map the tensors of a network into memory, by name; raises BadCheckpoint."""
        return checkpoint.read_weights(self.weight_file(part))

    def weight_file(self, part: Network) -> Path:
        """Give the file that holds a network's weights, the preferred one where none is there."""
        files = [self.path / part / name for name in weight_names(part)]
        return next((file for file in files if file.exists()), files[0])

    def files(self) -> Iterator[Path]:
        """Every file that is needed: configurations, vocabularies, weights."""
        for part in PARTS:
            yield self._config_file(part)
        for part in _TOKENIZERS:
            yield from (self.path / part / name for name in _VOCABULARY)
        for network in WEIGHTED:
            yield self.weight_file(network)

    def _config_file(self, part: Part) -> Path:
        kind = part.removesuffix("_2")
        prefix = f"{kind}_" if kind in {"tokenizer", "scheduler"} else ""
        return self.path / part / f"{prefix}config.json"
