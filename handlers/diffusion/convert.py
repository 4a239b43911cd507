"""Converts a published repository once: `python -m handlers.diffusion.convert SRC DST`.

The copy has the same folders, holds safetensors of one type without what is never used, and a
manifest of its bytes that is checked at every start. It appears under its name when it is whole.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import torch

from handlers.diffusion import manifest, tensor_file
from handlers.diffusion.networks import garment_unet, unused_keys
from handlers.diffusion.repository import (
    BadCheckpoint,
    Network,
    Repository,
    networks_at,
    weight_names,
)
from handlers.diffusion.weights import matches

TYPES: Final = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
}
_BESIDE: Final = ("model_index.json", "README*", "LICENSE*")
_IN_A_PART: Final = ("*.json", "*.txt")

Say = Callable[[str], None]


def convert(source: Path, target: Path, dtype: torch.dtype, say: Say) -> None:
    """Write a converted copy of `source` as `target`, which must not exist; `say` is told of parts.

    Memory holds one tensor at a time beside the mapped source. Whatever goes wrong, nothing is left
    behind. Raises BadCheckpoint for a source that cannot be used, FileExistsError, OSError.
    """
    if target.exists():
        raise FileExistsError(f"{target} exists already")
    repository = Repository.open(source, networks_at(source))
    draft = target.with_name(f"{target.name}.part")
    shutil.rmtree(draft, ignore_errors=True)  # what a killed run left
    try:
        _copy_beside(repository, draft)
        for number, part in enumerate(repository.networks, 1):
            started = time.monotonic()
            written = _convert_part(repository, part, draft, dtype)
            spent_s = time.monotonic() - started
            size_gb = written.stat().st_size / 1e9
            say(f"{number}/{len(repository.networks)} {part}: {size_gb:.2f} GB in {spent_s:.0f} s")
        say("hashing")
        manifest.write(draft)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m handlers.diffusion.convert")
    parser.description = (__doc__ or "").partition("\n\n")[2]
    parser.add_argument("source", type=Path, help="the published repository's folder")
    parser.add_argument("target", type=Path, help="folder of the converted copy; must not exist")
    parser.add_argument("--dtype", choices=TYPES, default="float16", help="default: float16")
    options = parser.parse_args(arguments)
    try:
        convert(options.source, options.target, TYPES[options.dtype], _to_stderr)
    except (BadCheckpoint, OSError) as error:
        _to_stderr(f"cannot convert: {error}")
        return 1
    return 0


def _convert_part(repository: Repository, part: Network, target: Path, dtype: torch.dtype) -> Path:
    unused = _unused(repository, part)
    state = {
        name: tensor
        for name, tensor in repository.weights(part).items()
        if not matches(name, unused)
    }
    file = target / part / weight_names(part)[0]
    tensor_file.write(file, state, _part_type(repository, part, dtype))
    return file


def _part_type(repository: Repository, part: Network, dtype: torch.dtype) -> torch.dtype:
    """SDXL's autoencoder overflows in half precision; its configuration says whether this one does.

    Where it does not say, it is kept in full.
    """
    keep = part == "vae" and repository.config(part).get("force_upcast", True)
    return torch.float32 if keep else dtype


def _unused(repository: Repository, part: Network) -> Sequence[str]:
    if part != "unet_encoder":
        return ()
    config = repository.config(part)
    with torch.device("meta"):
        return unused_keys(config, garment_unet(config))


def _copy_beside(repository: Repository, target: Path) -> None:
    """Copy whatever is not weights: configurations, vocabularies, licences."""
    patterns = [*_BESIDE, *(f"{part}/{name}" for part in repository.parts for name in _IN_A_PART)]
    for file in (file for pattern in patterns for file in repository.path.glob(pattern)):
        copy = target / file.relative_to(repository.path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
