"""INT8 by numbers: memory, error at the worst time step, likeness of a picture from one seed.

    python -m benchmarks.quantization [--quick] [--json FILE] [--device cuda]

Two networks with random weights, the tiny one of the records and one of 188 million parameters, go
through the very trial that a worker makes at load; float32 is what all are held against, bfloat16
stands beside. Random weights have no outliers: a real checkpoint is judged when it is loaded.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import nn

from benchmarks import report
from handlers.diffusion import int8, networks, trial
from handlers.diffusion.loading import Networks, load
from handlers.diffusion.repository import Repository
from handlers.diffusion.resampler import Sizes
from handlers.quantize import Observed, deviation

_REPOSITORY: Final = report.ROOT / "tests" / "fixtures" / "idm_vton" / "tiny-idm-vton"
_LARGE: Final = {
    "block_out_channels": (128, 256, 512),
    "attention_head_dim": (2, 4, 8),
    "transformer_layers_per_block": (1, 2, 4),
    "norm_num_groups": 32,
}
_SIDE_PX: Final = 256
_QUICK_SIDE_PX: Final = 128
_COLUMNS: Final = (
    "network", "numbers", "layers", "MB", "worst step", "at t", "mean |d|", "PSNR dB", "s a trial"
)  # fmt: skip
_INT8: Final[dict[str, Callable[[nn.Module], int]]] = {
    "INT8": int8.quantise,
    "INT8, all layers": partial(int8.quantise, kept=frozenset()),
    "INT8, no outliers apart": partial(int8.quantise, outliers_from=0.0),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to store the weights of both denoisers; errors are shares, see handlers.quantize."""

    network: str
    numbers: str
    layers: int
    weight_bytes: int
    step_error: float
    worst_timestep: int
    picture_error: float
    psnr_db: float
    trial_s: float

    def stored(self) -> dict[str, object]:
        """Give what JSON can hold: no infinity."""
        return {**asdict(self), "psnr_db": self.psnr_db if math.isfinite(self.psnr_db) else None}

    def cells(self) -> list[str]:
        """Give the row of the table."""
        return [
            self.network,
            self.numbers,
            str(self.layers),
            f"{self.weight_bytes / 1e6:.1f}",
            f"{self.step_error:.4f}",
            str(self.worst_timestep),
            f"{self.picture_error:.5f}",
            f"{self.psnr_db:.1f}",
            f"{self.trial_s:.1f}",
        ]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 0."""
    parser = report.arguments(__doc__)
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    options = parser.parse_args(argv)
    device = torch.device(options.device)
    side_px = _QUICK_SIDE_PX if options.quick else _SIDE_PX
    rows: list[Measured] = []
    for name, build in {"tiny": tiny, "188 M": large}.items():
        rows += _measured(name, partial(build, device), side_px, quick=options.quick)
    measured = report.provenance()
    print(f"{measured}\n\n{report.table(_COLUMNS, [row.cells() for row in rows])}")
    if options.json:
        report.write_json(Path(options.json), measured, {"rows": [row.stored() for row in rows]})
    return 0


def tiny(device: torch.device, dtype: torch.dtype) -> Networks:
    """Load the repository of the records."""
    return load(Repository.open(_REPOSITORY), device, dtype)


def large(device: torch.device, dtype: torch.dtype) -> Networks:
    """Put two large denoisers, drawn the same way each time, in the place of the tiny ones."""
    repository, nets = Repository.open(_REPOSITORY), tiny(device, dtype)
    sizes = Sizes.of(repository.weights("unet"), f"{networks.RESAMPLER}.")
    torch.manual_seed(0)
    tryon = networks.tryon_unet({**repository.config("unet"), **_LARGE}, sizes)
    garment = networks.garment_unet({**repository.config("unet_encoder"), **_LARGE})
    for one in (tryon, garment):
        one.eval().requires_grad_(requires_grad=False)
        for weights in (*one.parameters(), *one.buffers()):
            weights.data = weights.data.to(device, dtype)
    return replace(nets, tryon=tryon, garment=garment)


def _measured(
    name: str, build: Callable[[torch.dtype], Networks], side_px: int, *, quick: bool
) -> Iterator[Measured]:
    exact, exact_s = _tried(build(torch.float32), side_px)
    row = partial(_row, name, exact=exact, side_px=side_px)
    yield replace(row("float32", build(torch.float32), 0), trial_s=exact_s)
    yield row("bfloat16", build(torch.bfloat16), 0)
    for numbers in list(_INT8)[: 1 if quick else None]:
        nets = build(torch.float32)
        layers = sum(_INT8[numbers](one) for one in (nets.tryon, nets.garment))
        yield row(numbers, nets, layers)


def _row(
    name: str, numbers: str, nets: Networks, layers: int, exact: Observed, side_px: int
) -> Measured:
    told, spent_s = _tried(nets, side_px)
    return Measured(
        network=name,
        numbers=numbers,
        layers=layers,
        weight_bytes=sum(int8.held_bytes(one) for one in (nets.tryon, nets.garment)),
        **asdict(deviation(exact, told)),
        trial_s=spent_s,
    )


def _tried(nets: Networks, side_px: int) -> tuple[Observed, float]:
    started = time.perf_counter()
    told = trial.observe(nets, side_px, side_px)
    return told, time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
