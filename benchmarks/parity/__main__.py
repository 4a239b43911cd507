"""Hold this code against recorded goldens: `python -m benchmarks.parity FOLDER [--repo FOLDER]`.

Prints a line per golden with the largest difference and what is allowed; ends with status 1 when
one is over. The folder's format is described in `tests/fixtures/idm_vton/FORMAT.md`; any part of
it may be absent.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import torch

from benchmarks.parity import densepose, masks, networks, openpose, parsing, preprocess, runs
from benchmarks.parity.report import Compared, guarded
from handlers.diffusion.loading import load
from handlers.diffusion.repository import Repository

_PARTS: Final = {
    "masks": masks.compare,
    "parsing": parsing.compare,
    "openpose": openpose.compare,
    "densepose": densepose.compare,
    "preprocess": preprocess.compare,
}
# Single networks: the recording machine's own kind of CPU, and any other.
_SAME_CPU: Final = 1e-5
_ANY_CPU: Final = 1e-4


def compare(
    folder: Path, repository: Path | None = None, tolerance: float = _ANY_CPU
) -> Iterator[Compared]:
    """Yield every comparison that the folder allows; `tolerance` is that of single networks."""
    repository = repository or _repository(folder)
    if repository is not None:
        yield from guarded("networks", _with_networks(folder, repository, tolerance))
    for part, parts in _PARTS.items():
        if (folder / part).is_dir():
            yield from guarded(part, parts(folder / part))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.add_argument("folder", type=Path, help="goldens, in the format of FORMAT.md")
    parser.add_argument("--repo", type=Path, help="the networks' repository (found in the folder)")
    parser.add_argument(
        "--same-cpu", action="store_true", help=f"allow single networks {_SAME_CPU:g} only"
    )
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder}: no such folder")
    compared = []
    tolerance = _SAME_CPU if options.same_cpu else _ANY_CPU
    for one in compare(options.folder, options.repo, tolerance):
        print(one, flush=True)
        compared.append(one)
    over = sum(not one.holds for one in compared)
    print(f"{len(compared)} goldens, {over} over their tolerance")
    return 1 if over or not compared else 0


def _with_networks(folder: Path, repository: Path, tolerance: float) -> Iterator[Compared]:
    nets = load(Repository.open(repository), torch.device("cpu"), torch.float32)
    with torch.inference_mode():
        if (folder / "unit").is_dir():
            yield from guarded("unit", networks.Unit(folder / "unit", nets, tolerance).compare())
        if (folder / "e2e").is_dir():
            yield from guarded("e2e", runs.compare(folder / "e2e", nets, tolerance))


def _repository(folder: Path) -> Path | None:
    return next((config.parents[1] for config in sorted(folder.glob("*/unet/config.json"))), None)


if __name__ == "__main__":
    sys.exit(main())
