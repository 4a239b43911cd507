"""Fetches models to serve from, and converts what is worth it: `python -m handlers.fetch idm_vton`.

What is fetched from where, on which terms, stands in `config/downloads.yaml`. An interrupted run
takes up where it ended; what is there already is not fetched again.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from handlers.errors import HandlerError
from handlers.settings import read

_CONFIG: Final = Path(__file__).parents[1] / "config" / "downloads.yaml"
_PUBLISHED: Final = ".published"


class NotFetched(Exception):
    """A model could not be fetched; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """One download: files of a hub repository, the folder they go to, the terms they come under."""

    folder: str
    repository: str
    revision: str
    files: tuple[str, ...]
    size_gb: float
    convert: bool
    licence: str
    commercial_use: bool


Download = Callable[[Source, Path], None]


def sources(config: Path = _CONFIG) -> dict[str, tuple[Source, ...]]:
    """Read what can be fetched, by the name of the model; raises BadSetting."""
    listed = yaml.safe_load(config.read_text("utf-8"))
    return {
        model: tuple(read(Source, entry, f"{model}[{n}]") for n, entry in enumerate(entries))
        for model, entries in listed.items()
    }


def fetch(source: Source, models: Path, download: Download, dtype: str) -> Path:
    """Fetch one source into its folder below `models` and give the folder, ready to serve from.

    Raises NotFetched, BadCheckpoint, OSError.
    """
    target = models / source.folder
    if not source.convert:
        download(source, target)
        _check_listed(source, target)
        return target
    published = target.with_name(target.name + _PUBLISHED)
    if not target.exists():
        download(source, published)
    _convert(published, target, dtype)
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit status."""
    known = sources()
    options = _parser(known).parse_args(arguments)
    try:
        for source in (source for model in options.models for source in known[model]):
            say(_terms(source))
            say(f"ready: {fetch(source, options.to, from_hub, options.dtype)}")
    except (NotFetched, HandlerError, OSError, ValueError) as error:
        say(f"cannot fetch: {error}")
        return 1
    return 0


def from_hub(source: Source, folder: Path) -> None:
    """Download what is not there yet; raises NotFetched."""
    from httpx2 import HTTPError  # noqa: PLC0415  what the hub's client raises
    from huggingface_hub import snapshot_download  # noqa: PLC0415  of the diffusion extra

    try:
        snapshot_download(
            source.repository,
            revision=source.revision,
            local_dir=folder,
            allow_patterns=list(source.files),
        )
    except (OSError, HTTPError) as error:
        first = str(error).partition("\n")[0]
        raise NotFetched(
            f"{source.repository}: {first}\n"
            "Run it again on a machine that reaches the hub (it goes on where it ended), or copy "
            f"the files there to {folder}."
        ) from error


def _convert(published: Path, target: Path, dtype: str) -> None:
    """Convert once what was fetched; look at the copy every time."""
    from handlers.diffusion import convert, repository  # noqa: PLC0415  imports torch

    if not target.exists():
        convert.convert(published, target, convert.TYPES[dtype], say)
        say(f"{published} is not needed any more")
    repository.Repository.open(target, repository.networks_at(target))


def _check_listed(source: Source, target: Path) -> None:
    """Hold what was fetched against the manifest beside it, which the first time is written."""
    from handlers.diffusion import manifest  # noqa: PLC0415  imports torch

    for folder in sorted({(target / pattern).parent for pattern in source.files}):
        fetched = [file for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []
        if not (folder / manifest.NAME).exists():
            manifest.write(folder)
        else:
            manifest.verify(folder, [file for file in fetched if file.name != manifest.NAME])


def _terms(source: Source) -> str:
    use = "" if source.commercial_use else "; NOT for commercial use"
    size = f"{source.size_gb:g} GB"
    return f"{source.repository} ({size}) is licensed under {source.licence}{use}"


def _parser(known: dict[str, tuple[Source, ...]]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m handlers.fetch", description=__doc__)
    parser.add_argument("models", nargs="+", choices=known, help="what to fetch")
    parser.add_argument("--to", type=Path, default=Path("models"), help="folder of all models")
    parser.add_argument("--dtype", default="float16", help="float16 (default), bfloat16, float32")
    return parser


def say(line: str) -> None:
    """Tell the person at the terminal."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
