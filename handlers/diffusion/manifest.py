"""Size and SHA-256 of every file of a model, written once and checked at each start.

`python -m handlers.diffusion.manifest models/vitpose` writes it beside files that came without one.
Where `VTON_CHECKED_WEIGHTS` is on, weights without a manifest are not loaded.
"""

import hashlib
import json
import logging
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from handlers.diffusion.checkpoint import BadCheckpoint, read_json
from handlers.switches import is_on

NAME: Final = "manifest.json"
VARIABLE: Final = "VTON_CHECKED_WEIGHTS"
_HASHING_THREADS: Final = (
    4  # hashing lets go of the interpreter; more would only fight for the disk
)


def write(folder: Path) -> Path:
    """Write the manifest of everything in `folder`; give its path."""
    names = sorted(
        file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
    )
    entries = {name: _entry(folder / name) for name in names if _belongs(name)}
    file = folder / NAME
    file.write_text(json.dumps(entries, indent=1) + "\n")
    return file


def verify(folder: Path, needed: Iterable[Path]) -> None:
    """Hold `needed` against the manifest, before any of it is read.

    Raises BadCheckpoint naming the first file that is not listed, not there, or not the same; and
    where there is no manifest, if none but checked weights may be loaded.
    """
    if not (folder / NAME).exists():
        _tell_unchecked(folder)
        return
    listed = read_json(folder / NAME)
    with ThreadPoolExecutor(_HASHING_THREADS) as pool:
        for fault in pool.map(lambda file: _fault(folder, file, listed), sorted(needed)):
            if fault:
                raise BadCheckpoint(fault)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the manifest of each folder that is named; give the exit status."""
    for folder in sys.argv[1:] if arguments is None else arguments:
        if not Path(folder).is_dir():
            print(f"{folder}: no such folder", file=sys.stderr)
            return 1
        print(write(Path(folder)))
    return 0


def _belongs(name: str) -> bool:
    """Whether a file is part of a model; what a download leaves in hidden folders is not."""
    return name != NAME and not any(part.startswith(".") for part in name.split("/"))


def _tell_unchecked(folder: Path) -> None:
    told = f"{folder}: no {NAME}, so nobody can say whether these are the files that were fetched"
    if is_on(VARIABLE):
        raise BadCheckpoint(f"{told}; `python -m {__name__} {folder}` writes it")
    logging.getLogger(__name__).warning(told)


def _fault(folder: Path, file: Path, listed: dict[str, object]) -> str:
    expected = listed.get(file.relative_to(folder).as_posix())
    if expected is None:
        return f"{file}: not listed in {NAME}"
    if not file.is_file():
        return f"{file}: missing, but listed in {NAME}"
    if _entry(file) != expected:
        return f"{file}: not the bytes that {NAME} lists; convert or fetch it again"
    return ""


def _entry(file: Path) -> dict[str, object]:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return {"sha256": digest, "bytes": file.stat().st_size}


if __name__ == "__main__":
    sys.exit(main())
