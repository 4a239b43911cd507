"""A folder in the layout that diffusers' models are published in, or a converted copy of one.

    unet  unet_encoder  vae                        config.json, diffusion_pytorch_model
    text_encoder  text_encoder_2  image_encoder    config.json, model
    tokenizer  tokenizer_2                         tokenizer_config.json, vocab.json, merges.txt
    scheduler                                      scheduler_config.json

SDXL lacks `unet_encoder` and `image_encoder`, which are IDM-VTON's own. Weights are `.safetensors`,
the same in half precision, or pickles in `.bin`: the first of these that lies there is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from torch import Tensor

from handlers.diffusion import checkpoint, manifest
from handlers.diffusion.checkpoint import BadCheckpoint

__all__ = [
    "IDM_VTON",
    "SDXL",
    "BadCheckpoint",
    "Network",
    "Part",
    "Repository",
    "networks_at",
    "weight_names",
]

Network = Literal["unet", "unet_encoder", "vae", "text_encoder", "text_encoder_2", "image_encoder"]
Part = Network | Literal["tokenizer", "tokenizer_2", "scheduler"]

IDM_VTON: Final[tuple[Network, ...]] = get_args(Network)
SDXL: Final[tuple[Network, ...]] = ("unet", "vae", "text_encoder", "text_encoder_2")
_SDXL_PIPELINE: Final = "StableDiffusionXLPipeline"
_DIFFUSERS: Final = "diffusion_pytorch_model"
_TRANSFORMERS: Final = ("model", "pytorch_model")
_TOKENIZERS: Final[tuple[Part, ...]] = ("tokenizer", "tokenizer_2")
_VOCABULARY: Final = ("vocab.json", "merges.txt")


def weight_names(part: Network) -> tuple[str, ...]:
    """Give the names that a network's weights may have, the preferred one first."""
    ours = part in {"unet", "unet_encoder", "vae"}
    safe, pickled = (_DIFFUSERS, _DIFFUSERS) if ours else _TRANSFORMERS
    return f"{safe}.safetensors", f"{safe}.fp16.safetensors", f"{pickled}.bin"


def networks_at(path: Path) -> tuple[Network, ...]:
    """Give the networks of the pipeline that a folder's index names; raises BadCheckpoint."""
    index = path / "model_index.json"
    named = checkpoint.read_json(index).get("_class_name") if index.is_file() else None
    return SDXL if named == _SDXL_PIPELINE else IDM_VTON


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of `networks` whose files are all there; `open` makes one."""

    path: Path
    networks: tuple[Network, ...] = IDM_VTON

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every folder that belongs to it."""
        return (*self.networks, *_TOKENIZERS, "scheduler")

    @classmethod
    def open(cls, path: Path | str, networks: tuple[Network, ...] = IDM_VTON) -> Repository:
        """Check at once that every needed file is there and whole, and that it is the listed one.

        Raises BadCheckpoint naming the files that are missing, or the first that is wrong.
        """
        repository = cls(Path(path), networks)
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
        for part in self.parts:
            yield self._config_file(part)
        for part in _TOKENIZERS:
            yield from (self.path / part / name for name in _VOCABULARY)
        for network in self.networks:
            yield self.weight_file(network)

    def _config_file(self, part: Part) -> Path:
        kind = part.removesuffix("_2")
        prefix = f"{kind}_" if kind in {"tokenizer", "scheduler"} else ""
        return self.path / part / f"{prefix}config.json"
