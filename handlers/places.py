"""Where models lie: paths of a YAML, read the same way by every worker.

A worker runs in a temporary folder of TorchServe's, so a relative path is relative to the folder
that `VTON_HOME` names, which whoever starts the server sets.
"""

import os
from pathlib import Path
from typing import Final

HOME: Final = "VTON_HOME"


def resolve(path: str, variable: str = "") -> Path:
    """Give the place of `path`; the environment variable `variable`, if set, outranks it."""
    named = os.environ.get(variable) or path
    return Path(os.environ.get(HOME, "")) / named


def resolve_wished(path: str, variable: str = "") -> Path | None:
    """Give the place of `path` as `resolve` does, or None where neither names one."""
    return resolve(path, variable) if path or os.environ.get(variable) else None
