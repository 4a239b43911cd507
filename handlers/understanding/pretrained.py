"""A folder in Hugging Face's layout: config.json, preprocessor_config.json, the weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch

from handlers.diffusion import manifest
from handlers.diffusion.checkpoint import BadCheckpoint, check_weights, read_json

_WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")  # the first one there is taken
_COUNTER: Final = "num_batches_tracked"  # of no use once a network is trained


class Pretrained(NamedTuple):
    """What a folder holds; all three are transformers' objects."""

    network: Any
    processor: Any
    config: Any


def load(folder: Path, network: type[Any], processor: type[Any], device: str) -> Pretrained:
    """Load a network in float32, ready to be asked, and the preparation of its input.

    network, processor: transformers' classes. Raises BadCheckpoint naming the file, and where one
    is wrong the key; a key without a place in the network is passed over, as transformers does.
    """
    settings = folder / "config.json"
    told = _checked_config(settings, network.config_class.model_type)
    preparation = folder / "preprocessor_config.json"
    weights = _weight_file(folder)
    manifest.verify(folder, (settings, preparation, weights))
    read_json(preparation)
    check_weights(weights)
    _no_progress_bar()
    with _blaming(settings):
        config = network.config_class.from_dict(told)
    with _blaming(weights):
        loaded, gaps = network.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=weights.suffix == ".safetensors",
            weights_only=True,
            ignore_mismatched_sizes=True,  # they are told below, all of them
            output_loading_info=True,
            dtype=torch.float32,
        )
    _refuse_gaps(weights, gaps)
    with _blaming(preparation):
        prepared = processor.from_pretrained(folder, local_files_only=True)
    return Pretrained(loaded.to(device).eval(), prepared, loaded.config)


@contextmanager
def _blaming(file: Path) -> Iterator[None]:
    """Turn the errors of several libraries, which share no base, into one that names the file."""
    try:
        yield
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise BadCheckpoint(f"{file}: {first or type(error).__name__}") from error


def _checked_config(file: Path, wanted: str) -> dict[str, Any]:
    if not file.parent.is_dir():
        raise BadCheckpoint(f"{file.parent}: no such folder")
    config = read_json(file)
    if (found := config.get("model_type")) != wanted:
        raise BadCheckpoint(f"{file}: model_type is {found!r}, expected {wanted!r}")
    return config


def _weight_file(folder: Path) -> Path:
    there = [folder / name for name in _WEIGHTS if (folder / name).is_file()]
    return there[0] if there else folder / _WEIGHTS[0]


def _refuse_gaps(file: Path, told: Mapping[str, Any]) -> None:
    missing = sorted(name for name in told["missing_keys"] if not name.endswith(_COUNTER))
    if missing:
        raise BadCheckpoint(f"{file}: lacks {missing[0]}{_more(len(missing))}")
    if wrong := sorted(told["mismatched_keys"]):
        name, found, expected = wrong[0]
        raise BadCheckpoint(
            f"{file}: has a wrong shape: {name} is {tuple(found)}, expected {tuple(expected)}"
            f"{_more(len(wrong))}"
        )


def _no_progress_bar() -> None:
    """A worker's log is no terminal."""
    import transformers.utils.logging as told  # noqa: PLC0415  heavy

    told.disable_progress_bar()


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""
