"""A deployment of the tiny repository: the shipped configuration, only smaller."""

from pathlib import Path
from typing import Any

import yaml

from tests.handlers.diffusion import tiny
from tests.handlers.torchserve_rows import ROOT

CONFIG = ROOT / "config" / "idm_vton.yaml"
WIDTH_PX, HEIGHT_PX = 96, 128


def sections(width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> dict[str, Any]:
    """Give the YAML of a worker that paints frames of the goldens' size, in as few steps."""
    shipped: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    size = {"width_px": width_px, "height_px": height_px}
    handler = shipped["handler"]
    handler["model_path"] = str(tiny.REPOSITORY)
    handler["frames"] |= {f"painted_{name}": value for name, value in size.items()}
    for bound in ("min", "default"):
        handler["limits"] |= {f"{bound}_{name}": value for name, value in size.items()}
    handler["cache"] |= {"host_bytes": 10**9, "disk_bytes": 0}
    handler["warmup"]["sizes_px"] = [[width_px, height_px]]
    shipped["tryon"]["ranges"]["steps"] = [1, 50]
    shipped["tryon"]["defaults"]["steps"] = 2
    return shipped


def original(**size: int) -> dict[str, Any]:
    """Give the same of one that draws garment latents, as the original did for the goldens."""
    changed = sections(**size)
    changed["handler"]["garment_latents"] = "sample"
    return changed


def write(folder: Path, **size: int) -> Path:
    """Write the original's configuration into a folder of its own and give the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "idm_vton.yaml").write_text(yaml.safe_dump(original(**size)))
    return folder
