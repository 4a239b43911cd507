"""Goldens of what happens to pictures before and after the networks: crop, paste, planes."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from benchmarks.parity.report import Compared
from handlers.vision import crop, planes

Tensors = Mapping[str, NDArray[Any]]


def compare(folder: Path) -> Iterator[Compared]:
    """Yield the difference to every golden of a `preprocess` folder (see its FORMAT.md)."""
    if (folder / "crop_paste.json").is_file():
        stored = load_file(folder / "crop_paste.safetensors")
        for case in json.loads((folder / "crop_paste.json").read_text())["cases"]:
            yield from _crop_and_paste(case, stored)
    if (folder / "vae_preprocess.safetensors").is_file():
        yield from _planes(load_file(folder / "vae_preprocess.safetensors"))


def _crop_and_paste(case: Mapping[str, Any], stored: Tensors) -> Iterator[Compared]:
    name = "x".join(str(side) for side in case["size"])
    box = crop.crop_box(*case["size"])
    yield _apart(f"crop_paste/{name}.box", np.array(box), np.array(case["box"]))
    photo, generated = stored[f"{name}.original"], stored[f"{name}.generated"]
    frame = crop.resized(crop.cropped(photo, box), *case["work_size"])
    yield _apart(f"crop_paste/{name}.network_frame", frame, stored[f"{name}.network_frame"])
    pasted = crop.paste_back(photo, generated, box, aligned=False)
    yield _apart(f"crop_paste/{name}.pasted", pasted, stored[f"{name}.pasted"])


def _planes(stored: Tensors) -> Iterator[Compared]:
    height_px, width_px = stored["image_uint8"].shape[:2]
    image = planes.image_planes(stored["image_uint8"], width_px, height_px)
    other = planes.image_planes(stored["other_size_image_uint8"], width_px, height_px)
    mask = planes.mask_plane(stored["mask_uint8"], width_px, height_px)
    factor = height_px // stored["mask_latent"].shape[-2]
    ours: Tensors = {
        "init_image": image[None],
        "other_size_init_image": other[None],
        "mask": mask[None],
        "masked_image": planes.masked_planes(image, mask)[None],
        "mask_latent": planes.latent_mask(mask, factor)[None],
        "mask_gray_preview_uint8": planes.grey_preview(image, stored["mask_uint8"]),
    }
    for name, made in ours.items():
        yield _apart(f"vae_preprocess/{name}", made, stored[name])


def _apart(name: str, ours: NDArray[Any], golden: NDArray[Any]) -> Compared:
    difference = np.abs(ours.astype(np.float64) - golden).max()
    return Compared(f"preprocess/{name}", float(difference), 0.0, "largest difference")
