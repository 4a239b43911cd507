"""A deployment of the tiny SDXL: the shipped configuration, only smaller."""

from pathlib import Path
from typing import Any

import yaml

from tests.handlers.diffusion import tiny_sdxl
from tests.handlers.torchserve_rows import ROOT

CONFIG = ROOT / "config" / "sdxl.yaml"
WIDTH_PX, HEIGHT_PX = 64, 96


def sections() -> dict[str, Any]:
    """Give the YAML of a worker that draws small pictures in few steps."""
    shipped: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    shipped["handler"]["model_path"] = str(tiny_sdxl.repository())
    shipped["handler"]["max_images_per_forward"] = 2
    offer = shipped["bodies"]
    offer["ranges"] |= {"width_px": [32, 1536], "height_px": [32, 1536], "steps": [1, 50]}
    offer["defaults"] |= {"width_px": WIDTH_PX, "height_px": HEIGHT_PX, "steps": 3}
    return shipped


def write(folder: Path) -> Path:
    """Write the configuration into a folder of its own and give the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sdxl.yaml").write_text(yaml.safe_dump(sections()))
    return folder
