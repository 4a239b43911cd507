"""Packs a model for TorchServe, and checks what is packed: `python -m handlers.archive geometric`.

An archive holds the thin entry file, the model's YAML and a manifest. The package the entry file
imports is installed where workers run. The bytes depend on nothing but these files, so equal
sources give equal archives, and `SHA256SUMS` beside them says which ones are genuine.
"""

import argparse
import json
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from handlers import sums
from handlers.models import read_offer, read_settings

_ENTRIES: Final = Path(__file__).parent
_CONFIG: Final = _ENTRIES.parent / "config"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_REMEDY: Final = (
    "The model store is not as it was packed. `make archive` packs it again, from sources you"
    " trust; what it does not pack, take away."
)
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")


def pack(
    model: str,
    config_file: Path,
    folder: Path,
    version: str | None = None,
    *,
    is_versioned: bool = False,
) -> Path:
    """Write `<folder>/<model>.mar` and its line in `SHA256SUMS`; give the archive's path.

    With `is_versioned` it is `<model>-<version>.mar`, so that versions lie side by side.
    The version is semantic and comes from the YAML's `handler.version` where none is given.
    Raises ValueError for a version of another form and for a setting that a worker would refuse,
    FileNotFoundError for an unknown model.
    """
    entry = _ENTRIES / f"{model}.py"
    config = config_file.read_bytes()
    sections = yaml.safe_load(config)
    settings = read_settings(sections)
    read_offer(sections)
    version = version or settings.version
    if not _VERSION.fullmatch(version):
        raise ValueError(f"the version of a model is MAJOR.MINOR.PATCH: {version}")
    contents = {
        "MAR-INF/MANIFEST.json": _manifest(model, config_file.name, version),
        config_file.name: config,
        entry.name: entry.read_bytes(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (f"{model}-{version}.mar" if is_versioned else f"{model}.mar")
    _write_zip(path, contents)
    sums.record(path)
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m handlers.archive", description=__doc__)
    parser.add_argument("models", nargs="*", help="entry files in handlers/, such as geometric")
    parser.add_argument(
        "--check",
        action="store_true",
        help="first hold what lies in the model store against its SHA256SUMS, and refuse a change",
    )
    parser.add_argument("--version", help="semantic version (default: the YAML's handler.version)")
    parser.add_argument(
        "--versioned", action="store_true", help="have the version in the archive's name, too"
    )
    parser.add_argument("--config", type=Path, default=_CONFIG, help="folder of <model>.yaml")
    parser.add_argument("--output", type=Path, default=Path("model_store"), help="model store")
    options = parser.parse_args(arguments)
    if not options.models and not options.check:
        parser.error("name a model to pack, or --check")
    if options.check and (changed := list(sums.faults(options.output))):
        print("\n".join([*changed, _REMEDY]), file=sys.stderr)
        return 1
    for model in options.models:
        try:
            path = pack(
                model,
                options.config / f"{model}.yaml",
                options.output,
                options.version,
                is_versioned=options.versioned,
            )
        except (ValueError, FileNotFoundError) as error:
            print(f"cannot pack {model}: {error}", file=sys.stderr)
            return 1
        print(path)
    return 0


def _manifest(model: str, config_name: str, version: str) -> bytes:
    manifest = {
        "createdOn": "01/01/1980 00:00:00",  # a real time would change the bytes
        "runtime": "python",
        "archiverVersion": "0.12.0",
        "model": {
            "modelName": model,
            "handler": f"{model}.py",
            "modelVersion": version,
            "configFile": config_name,
        },
    }
    return json.dumps(manifest, indent=2).encode()


def _write_zip(path: Path, contents: dict[str, bytes]) -> None:
    draft = path.with_suffix(".part")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(contents.items()):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
