"""Goldens of what happens to pictures before and after the networks: crop, paste, planes."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from benchmarks.parity.report import Compared, guarded, largest
from handlers.vision import crop, planes

Tensors = Mapping[str, NDArray[Any]]
_PLANES = "vae_preprocess.safetensors"
_ROUNDING = 1e-6


def compare(folder: Path) -> Iterator[Compared]:
    """Yield the difference to every golden of a `preprocess` folder (see its FORMAT.md)."""
    if (folder / "crop_paste.json").is_file():
        tensors = folder / "crop_paste.safetensors"
        stored = load_file(tensors) if tensors.is_file() else {}
        for case in json.loads((folder / "crop_paste.json").read_text())["cases"]:
            name = "x".join(str(side) for side in case["size"])
            yield from guarded(f"preprocess/{name}", _crop_and_paste(name, case, stored))
    if (folder / _PLANES).is_file():
        yield from guarded("preprocess/planes", _planes(load_file(folder / _PLANES)))


def _crop_and_paste(name: str, case: Mapping[str, Any], stored: Tensors) -> Iterator[Compared]:
    box = crop.crop_box(*case["size"])
    yield largest(f"preprocess/crop_paste/{name}.box", box, case["box"], 0.0)
    photo, generated = stored.get(f"{name}.original"), stored.get(f"{name}.generated")
    made: dict[str, NDArray[Any]] = {}
    if photo is not None:
        made["network_frame"] = crop.resized(crop.cropped(photo, box), *case["work_size"])
    if photo is not None and generated is not None:
        made["pasted"] = crop.paste_back(photo, generated, box, aligned=False)
    for key, ours in made.items():
        if (golden := stored.get(f"{name}.{key}")) is not None:
            yield largest(f"preprocess/crop_paste/{name}.{key}", ours, golden, 0.0)


def _planes(stored: Tensors) -> Iterator[Compared]:
    for name, make in _MADE.items():
        if name in stored and all(source in stored for source in _SOURCES[name]):
            ours = make(stored)
            yield largest(f"preprocess/vae_preprocess/{name}", ours, stored[name], _ROUNDING)


def _image(stored: Tensors, source: str, like: str) -> NDArray[np.float32]:
    """Give a picture as planes of the golden's size."""
    height_px, width_px = stored[like].shape[-2:]
    return planes.image_planes(stored[source], width_px, height_px)


def _mask(stored: Tensors) -> NDArray[np.float32]:
    height_px, width_px = stored["mask_uint8"].shape
    return planes.mask_plane(stored["mask_uint8"], width_px, height_px)


def _masked(stored: Tensors) -> NDArray[np.float32]:
    return planes.masked_planes(_image(stored, "image_uint8", "masked_image"), _mask(stored))


def _latent_mask(stored: Tensors) -> NDArray[np.float32]:
    factor = stored["mask_uint8"].shape[0] // stored["mask_latent"].shape[-2]
    return planes.latent_mask(_mask(stored), factor)


def _preview(stored: Tensors) -> NDArray[np.uint8]:
    image = _image(stored, "image_uint8", "mask_uint8")
    return planes.grey_preview(image, stored["mask_uint8"])


_OTHER = "other_size_init_image"
_MADE: Mapping[str, Callable[[Tensors], NDArray[Any]]] = {
    "init_image": lambda stored: _image(stored, "image_uint8", "init_image")[None],
    _OTHER: lambda stored: _image(stored, "other_size_image_uint8", _OTHER)[None],
    "mask": lambda stored: _mask(stored)[None],
    "masked_image": lambda stored: _masked(stored)[None],
    "mask_latent": lambda stored: _latent_mask(stored)[None],
    "mask_gray_preview_uint8": _preview,
}
_SOURCES: Mapping[str, tuple[str, ...]] = {
    "init_image": ("image_uint8",),
    _OTHER: ("other_size_image_uint8",),
    "mask": ("mask_uint8",),
    "masked_image": ("image_uint8", "mask_uint8"),
    "mask_latent": ("mask_uint8",),
    "mask_gray_preview_uint8": ("image_uint8", "mask_uint8"),
}
