"""Where `vton` stands: the project's folder, and the settings that hold there."""

from pathlib import Path

import gateway
from gateway.errors.kinds import Misconfigured
from gateway.settings.tree import Settings, load_settings


def root() -> Path:
    """The folder that holds config.properties and config/; raises Misconfigured."""
    for folder in (Path.cwd(), Path(gateway.__file__).parents[1]):
        if (folder / "config.properties").is_file():
            return folder
    raise Misconfigured("config.properties was not found: run vton in the project's folder")


def settings_here() -> Settings:
    """The settings that `vton serve` goes by; raises Misconfigured."""
    return load_settings(root() / "config")
