"""SHA256SUMS of a model store: which archives are genuine, as `sha256sum --check` reads it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NAME: Final = "SHA256SUMS"


def record(archive: Path) -> None:
    """Note the bytes of an archive in the list beside it, in place of what was noted before."""
    listed = {**_listed(archive.parent), archive.name: _digest(archive)}
    lines = sorted(f"{digest}  {name}" for name, digest in listed.items())
    draft = archive.parent / f"{NAME}.part"
    draft.write_text("\n".join(lines) + "\n")
    draft.replace(archive.parent / NAME)


def faults(store: Path) -> Iterator[str]:
    """Name every archive of a model store that is not listed, not there, or not the same."""
    listed = _listed(store)
    there = {file.name: file for file in store.glob("*.mar")}
    for name in sorted(listed.keys() | there.keys()):
        if name not in there:
            yield f"{store / name}: missing, but listed in {NAME}"
        elif name not in listed:
            yield f"{there[name]}: not listed in {NAME}"
        elif there[name].is_symlink() or _digest(there[name]) != listed[name]:
            yield f"{there[name]}: not the bytes that {NAME} lists"


def _listed(store: Path) -> dict[str, str]:
    file = store / NAME
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
