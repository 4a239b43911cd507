"""Size and SHA-256 of every file of a converted model, written once and checked at each start."""

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from handlers.diffusion.checkpoint import BadCheckpoint, read_json

NAME: Final = "manifest.json"
_HASHING_THREADS: Final = (
    4  # hashing lets go of the interpreter; more would only fight for the disk
)


def write(folder: Path) -> Path:
    """Write the manifest of everything in `folder`; give its path."""
    names = sorted(
        file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
    )
    entries = {name: _entry(folder / name) for name in names if name != NAME}
    file = folder / NAME
    file.write_text(json.dumps(entries, indent=1) + "\n")
    return file


def verify(folder: Path, needed: Iterable[Path]) -> None:
    """Hold `needed` against the manifest; without a manifest there is nothing to hold them against.

    Raises BadCheckpoint naming the first file that is not listed, not there, or not the same.
    """
    if not (folder / NAME).exists():
        return
    listed = read_json(folder / NAME)
    with ThreadPoolExecutor(_HASHING_THREADS) as pool:
        for fault in pool.map(lambda file: _fault(folder, file, listed), sorted(needed)):
            if fault:
                raise BadCheckpoint(fault)


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
